"""Tuner, which searches settings for Trainer: TFX's own, which here goes on where a killed attempt stopped.

It lies beside Trainer as each of its trials is a training. TFX's calls `tuner_fn` and leaves what is not in a file of
KerasTuner to us.
"""

import os
from typing import Any

import tensorflow as tf
from tfx import components, types
from tfx.components.tuner import executor
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import artifact_utils

from common import unfinished
from components.trainer.tuner_fn import TRIALS


class Executor(executor.Executor):
    """Reads `examples`, which are FeatureExtractor's, writes `best_hyperparameters` and `tuner_results`.

    Beside TFX's own file, `tuner_results` has a file for each trial, which `components.trainer.trials` reads.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Searches. The arguments are TFX's; a trial that a killed attempt finished is not run again."""
        results = artifact_utils.get_single_uri(output_dict["tuner_results"])
        work = unfinished.make_folder(results, unfinished.identity(input_dict, exec_properties))
        tuner = executor.search(input_dict, exec_properties, work)
        executor.write_best_hyperparameters(tuner, output_dict)
        unfinished.move_files(os.path.join(work, TRIALS), results)
        tf.io.gfile.rmtree(work)


class Tuner(components.Tuner):
    """As TFX's."""

    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

"""Which model a candidate has to beat: the latest blessed one, other than itself."""

import ml_metadata as mlmd
from tfx import types
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
from tfx.dsl.io import fileio
from tfx.utils import path_utils

from common.lineage import Lineage

CANDIDATE = "candidate"


class LatestOtherBlessedModel(LatestBlessedModelStrategy):
    """TFX's strategy, without the candidate itself and without a model that is gone.

    With TFX's own, the second run of an unchanged pipeline finds the model of the first as its baseline, so Evaluator
    and Pusher would run again and publish the same model a second time. And TFX's own gives a model whose files were
    deleted, at which Evaluator fails.
    """

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]] | None:
        """Chooses among all models and blessings.

        Args:
          store: the metadata store.
          input_dict: `candidate`, this run's model; `model`, `model_blessing` and `model_evaluation`, all there are.

        Returns:
          `model`, `model_blessing` and `model_evaluation`, with one artifact each or none, of the same execution of
          Evaluator; and the candidate. A blessing without a model says that the last blessed one is gone.
        """
        candidates = input_dict[CANDIDATE]
        others = [artifact for artifact in input_dict["model"] if artifact.id not in {c.id for c in candidates}]
        blessed = super().resolve_artifacts(store, {"model": others, "model_blessing": input_dict["model_blessing"]})
        if blessed is None:
            return None
        there = [model for model in blessed["model"] if fileio.exists(path_utils.serving_model_path(model.uri))]
        evaluations = _of_same_execution(store, blessed["model_blessing"], input_dict["model_evaluation"])
        return {**blessed, "model": there, "model_evaluation": evaluations, CANDIDATE: candidates}


def _of_same_execution(
    store: mlmd.MetadataStore, blessings: list[types.Artifact], evaluations: list[types.Artifact]
) -> list[types.Artifact]:
    if not blessings:
        return []
    lineage = Lineage(store)
    executions = lineage.givers(blessing.id for blessing in blessings)
    ids = {one.id for execution in executions for one in lineage.outputs(execution.id)["evaluation"]}
    return [evaluation for evaluation in evaluations if evaluation.id in ids]

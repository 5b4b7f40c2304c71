"""The steps that the pipeline may have, named by the folders of `components`, and what each declares about itself.

Imports no TFX, so that a command line can refuse an unknown step at once.
"""

import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping

import components
from common.step_facts import StepFacts


def _facts(folder: str) -> StepFacts:
    name = f"{components.__name__}.{folder}.facts"
    return importlib.import_module(name).FACTS if importlib.util.find_spec(name) else StepFacts()


STEPS: Mapping[str, StepFacts] = {
    module.name.title().replace("_", ""): _facts(module.name) for module in pkgutil.iter_modules(components.__path__)
}
GPU_STEPS = [name for name, facts in STEPS.items() if facts.gpu]

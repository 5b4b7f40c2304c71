"""What FeatureExtractor tells of itself."""

from common.step_facts import StepFacts

FACTS = StepFacts(gpu=True, retried=True)

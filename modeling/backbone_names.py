"""The backbones that a configuration may name, and what is known of them before Keras is loaded."""

from typing import NamedTuple


class Backbone(NamedTuple):
    """A class of `keras.applications`.

    Attributes:
      module: module of `keras.applications` that has its `preprocess_input`.
      layers: number of its layers without the classifier.
      last_stage: name of the first layer of its last stage: what stage 2 trains unless told otherwise.
      picture_size: side, in pixels, of the square pictures that its ImageNet weights were trained on.
      weights_md5: of Keras' file of those weights without the classifier; empty where Keras knows none.
    """

    module: str
    layers: int
    last_stage: str
    picture_size: int
    weights_md5: str


LEAST_PICTURE_SIZE = 32  # of all of them, in pixels a side

BACKBONES = {
    "VGG16": Backbone("vgg16", 19, "block5_conv1", 224, "6d6bbae143d832006294945121d1f1fc"),
    "VGG19": Backbone("vgg19", 22, "block5_conv1", 224, "253f8cb515780f3b799900260a226db6"),
    "ResNet50": Backbone("resnet", 175, "conv5_block1_1_conv", 224, "4d473c1dd8becc155b73f8504c6f6626"),
    "ResNet101": Backbone("resnet", 345, "conv5_block1_1_conv", 224, "88cf7a10940856eca736dc7b7e228a21"),
    "ResNet152": Backbone("resnet", 515, "conv5_block1_1_conv", 224, "ee4c566cf9a93f14d82f913c2dc6dd0c"),
    "ResNet50V2": Backbone("resnet_v2", 190, "conv5_block1_preact_bn", 224, "fac2f116257151a9d068a22e544a4917"),
    "ResNet101V2": Backbone("resnet_v2", 377, "conv5_block1_preact_bn", 224, "c0ed64b8031c3730f411d2eb4eea35b5"),
    "ResNet152V2": Backbone("resnet_v2", 564, "conv5_block1_preact_bn", 224, "ed17cf2e0169df9d443503ef94b23b33"),
    "DenseNet121": Backbone("densenet", 427, "conv5_block1_0_bn", 224, "30ee3e1110167f948a6b9946edeeb738"),
    "DenseNet169": Backbone("densenet", 595, "conv5_block1_0_bn", 224, "b8c4d4c20dd625c148057b9ff1c1176b"),
    "DenseNet201": Backbone("densenet", 707, "conv5_block1_0_bn", 224, "c13680b51ded0fb44dff2d8f86ac8bb1"),
    "EfficientNetB0": Backbone("efficientnet", 237, "block7a_expand_conv", 224, "50bc09e76180e00e4465e1a485ddc09d"),
    "EfficientNetB1": Backbone("efficientnet", 339, "block7a_expand_conv", 240, "74c4e6b3e1f6a1eea24c589628592432"),
    "EfficientNetB2": Backbone("efficientnet", 339, "block7a_expand_conv", 260, "111f8e2ac8aa800a7a99e3239f7bfb39"),
    "EfficientNetB3": Backbone("efficientnet", 384, "block7a_expand_conv", 300, "af6d107764bb5b1abb91932881670226"),
    "EfficientNetB4": Backbone("efficientnet", 474, "block7a_expand_conv", 380, "ebc24e6d6c33eaebbd558eafbeedf1ba"),
    "EfficientNetB5": Backbone("efficientnet", 576, "block7a_expand_conv", 456, "38879255a25d3c92d5e44e04ae6cec6f"),
    "EfficientNetB6": Backbone("efficientnet", 666, "block7a_expand_conv", 528, "9ecce42647a20130c1f39a5d4cb75743"),
    "EfficientNetB7": Backbone("efficientnet", 813, "block7a_expand_conv", 600, "cbcfe4450ddf6f3ad90b1b398090fe4a"),
    "EfficientNetV2B0": Backbone(
        "efficientnet_v2", 270, "block6a_expand_conv", 224, "893217f2bb855e2983157299931e43ff"
    ),
    "EfficientNetV2B1": Backbone(
        "efficientnet_v2", 334, "block6a_expand_conv", 240, "0e80663031ca32d657f9caa404b6ec37"
    ),
    "EfficientNetV2B2": Backbone(
        "efficientnet_v2", 349, "block6a_expand_conv", 260, "1dfe2e7a5d45b6632553a8961ea609eb"
    ),
    "EfficientNetV2B3": Backbone(
        "efficientnet_v2", 409, "block6a_expand_conv", 300, "f6abf7b5849ac99a89b50dd3fd532856"
    ),
    "EfficientNetV2S": Backbone("efficientnet_v2", 513, "block6a_expand_conv", 384, "af0682fb74e8c54910f2d4393339c070"),
    "EfficientNetV2M": Backbone("efficientnet_v2", 740, "block7a_expand_conv", 480, "1b8dc055df72dde80d614482840fe342"),
    "EfficientNetV2L": Backbone(
        "efficientnet_v2", 1028, "block7a_expand_conv", 480, "b0b66b5c863aef5b46e8608fe1711615"
    ),
    "MobileNetV2": Backbone("mobilenet_v2", 154, "block_16_expand", 224, ""),
}

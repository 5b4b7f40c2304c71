"""The backbones that a configuration may name, and what is known of them before Keras is loaded."""

from typing import NamedTuple


class Backbone(NamedTuple):
    """A class of `keras.applications`.

    Attributes:
      module: module of `keras.applications` that has its `preprocess_input`.
      layers: number of its layers without the classifier.
      fine_tune_at: index of the first layer of its last stage: what stage 2 trains from unless told otherwise.
      picture_size: side, in pixels, of the square pictures that its ImageNet weights were trained on.
      least_size: side, in pixels, of the smallest pictures that it takes.
      parameters: how many numbers it consists of, without the classifier.
      gflops: billions of floating-point operations of one forward pass on one picture of `picture_size`, without the
        classifier: two for each multiply-add of its convolutions and dense layers, to three digits.
    """

    module: str
    layers: int
    fine_tune_at: int
    picture_size: int
    least_size: int
    parameters: int
    gflops: float

    @property
    def is_chain(self) -> bool:
        """Whether it is convolutions and poolings one after another, which ncnn computes too."""
        return self.module in ("vgg16", "vgg19")

    @property
    def is_cut_late(self) -> bool:
        """Whether a single tensor crosses some gap near its end; NASNet's cells each read the two before them."""
        return self.module != "nasnet"


BACKBONES = {
    "VGG16": Backbone("vgg16", 19, 15, 224, 32, 14_714_688, 30.7),
    "VGG19": Backbone("vgg19", 22, 17, 224, 32, 20_024_384, 39),
    "ResNet50": Backbone("resnet", 175, 143, 224, 32, 23_587_712, 7.71),
    "ResNet101": Backbone("resnet", 345, 313, 224, 32, 42_658_176, 15.1),
    "ResNet152": Backbone("resnet", 515, 483, 224, 32, 58_370_944, 22.6),
    "ResNet50V2": Backbone("resnet_v2", 190, 154, 224, 32, 23_564_800, 6.96),
    "ResNet101V2": Backbone("resnet_v2", 377, 341, 224, 32, 42_626_560, 14.4),
    "ResNet152V2": Backbone("resnet_v2", 564, 528, 224, 32, 58_331_648, 21.8),
    "DenseNet121": Backbone("densenet", 427, 313, 224, 32, 7_037_504, 5.67),
    "DenseNet169": Backbone("densenet", 595, 369, 224, 32, 12_642_880, 6.72),
    "DenseNet201": Backbone("densenet", 707, 481, 224, 32, 18_321_984, 8.58),
    "EfficientNetB0": Backbone("efficientnet", 237, 221, 224, 32, 4_049_571, 0.769),
    "EfficientNetB1": Backbone("efficientnet", 339, 308, 240, 32, 6_575_239, 1.37),
    "EfficientNetB2": Backbone("efficientnet", 339, 308, 260, 32, 7_768_569, 1.98),
    "EfficientNetB3": Backbone("efficientnet", 384, 353, 300, 32, 10_783_535, 3.65),
    "EfficientNetB4": Backbone("efficientnet", 474, 443, 380, 32, 17_673_823, 8.78),
    "EfficientNetB5": Backbone("efficientnet", 576, 530, 456, 32, 28_513_527, 20.5),
    "EfficientNetB6": Backbone("efficientnet", 666, 620, 528, 32, 40_960_143, 38.1),
    "EfficientNetB7": Backbone("efficientnet", 813, 752, 600, 32, 64_097_687, 75.5),
    "EfficientNetV2B0": Backbone("efficientnet_v2", 270, 149, 224, 32, 5_919_312, 1.43),
    "EfficientNetV2B1": Backbone("efficientnet_v2", 334, 198, 240, 32, 6_931_124, 2.39),
    "EfficientNetV2B2": Backbone("efficientnet_v2", 349, 198, 260, 32, 8_769_374, 3.39),
    "EfficientNetV2B3": Backbone("efficientnet_v2", 409, 228, 300, 32, 12_930_622, 6.02),
    "EfficientNetV2S": Backbone("efficientnet_v2", 513, 287, 384, 32, 20_331_360, 16.7),
    "EfficientNetV2M": Backbone("efficientnet_v2", 740, 664, 480, 32, 53_150_388, 49.2),
    "EfficientNetV2L": Backbone("efficientnet_v2", 1028, 922, 480, 32, 117_746_848, 112),
    "MobileNet": Backbone("mobilenet", 86, 73, 224, 32, 3_228_864, 1.14),
    "MobileNetV2": Backbone("mobilenet_v2", 154, 143, 224, 32, 2_257_984, 0.599),
    "MobileNetV3Small": Backbone("mobilenet_v3", 157, 109, 224, 32, 939_120, 0.11),
    "MobileNetV3Large": Backbone("mobilenet_v3", 187, 139, 224, 32, 2_996_352, 0.428),
    "ConvNeXtTiny": Backbone("convnext", 133, 110, 224, 32, 27_820_128, 8.91),
    "ConvNeXtSmall": Backbone("convnext", 259, 236, 224, 32, 49_454_688, 17.4),
    "ConvNeXtBase": Backbone("convnext", 259, 236, 224, 32, 87_566_464, 30.7),
    "ConvNeXtLarge": Backbone("convnext", 259, 236, 224, 32, 196_230_336, 68.7),
    "ConvNeXtXLarge": Backbone("convnext", 259, 236, 224, 32, 348_147_968, 122),
    "Xception": Backbone("xception", 132, 116, 299, 71, 20_861_480, 16.7),
    "InceptionV3": Backbone("inception_v3", 311, 249, 299, 75, 21_802_784, 11.4),
    "InceptionResNetV2": Backbone("inception_resnet_v2", 780, 618, 299, 75, 54_336_736, 26.3),
    "NASNetMobile": Backbone("nasnet", 769, 585, 224, 32, 4_269_716, 1.13),
    "NASNetLarge": Backbone("nasnet", 1039, 765, 331, 32, 84_916_818, 47.6),
}

LEAST_PICTURE_SIZE = min(backbone.least_size for backbone in BACKBONES.values())

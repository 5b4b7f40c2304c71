"""FeatureExtractor: passes each picture through the frozen layers once.

`executor` does so with Beam; `extractor` leads pictures from `decoding` through `layers` to `writing`; `augmentation`
makes views of them; `driver` adds what identifies the weights to the cache key.
"""

"""FeatureExtractor: passes each picture through the frozen layers once.

`executor` does so with Beam, `augmentation` makes views of a picture, and `driver` adds what identifies the weights to
the cache key.
"""

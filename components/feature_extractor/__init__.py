"""FeatureExtractor: passes each picture through the frozen layers once.

`executor` does so with Beam, shard by shard, `extractor` holds the layers, `augmentation` makes views of a picture, and
`driver` adds what identifies the weights to the cache key.
"""

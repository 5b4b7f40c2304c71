"""Predictions for a folder of pictures without classes.

`inputs` finds the files, `records` defines what is stored for each, `executor` predicts them with Beam, and `driver`
adds a hash of the pictures to the cache key.
"""

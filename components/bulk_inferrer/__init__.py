"""Predictions for a folder of pictures without classes.

`inputs` finds the files, `records` says what is stored of each, `executor` predicts them over Beam, and `driver` lets
the cache know the pictures by their content.
"""

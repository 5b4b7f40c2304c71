"""Folders of pictures in, examples out; nothing is dropped in silence.

`layout` finds the files, `pictures` judges each, `plan` decides what becomes of all of them, `executor` runs
the three over Beam, and `driver` lets the cache know the pictures by their content.
"""

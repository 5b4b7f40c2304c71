"""Folders of pictures in, examples out; nothing is dropped in silence.

`layout` finds the files, `imaging.normalising` judges each, `plan` decides what becomes of all of them, `leakage` lists
held-out pictures that are like training pictures, `reports` tells what was not used, `executor` runs these over Beam,
and `driver` lets the cache know the pictures by their content.
"""

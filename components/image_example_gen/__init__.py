"""Folders of pictures in, examples out; nothing is dropped in silence.

`layout` finds the files, `pictures` judges each (`opening` and `tags` keep hostile ones cheap), `plan` decides what
becomes of all of them, `leakage` lists held-out pictures that are like training pictures (`likeness` tells which are),
`executor` runs these over Beam, and `driver` lets the cache know the pictures by their content.
"""

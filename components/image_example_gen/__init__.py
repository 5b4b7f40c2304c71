"""ImageExampleGen: turns folders of pictures into examples; nothing is dropped silently.

`layout` finds the files, `imaging.normalising` examines each one, `plan` decides what happens to all of them, `leakage`
lists held-out pictures that resemble training pictures, `reports` lists what was not used, `executor` runs these with
Beam, and `driver` adds a hash of the pictures to the cache key.
"""

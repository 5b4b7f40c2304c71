"""Pictures as bytes and pixels: what opens, measures, compares and re-encodes them, and knows no step.

`opening` and `tags` keep hostile files cheap; `normalising` makes of the others what every step can decode.
"""

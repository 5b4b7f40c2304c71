"""What the examples are called that ImageExampleGen writes and later steps read."""

# The splits.
TRAIN, EVAL, TEST = "train", "eval", "test"

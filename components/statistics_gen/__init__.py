"""StatisticsGen is TFX's own: statistics of each split, by TensorFlow Data Validation."""

"""Trainer is TFX's own: it calls `run_fn`, which trains in two stages and exports the model.

`fit` runs a stage, `batches` reads the features, and `checkpoint` lets a killed training continue.
"""

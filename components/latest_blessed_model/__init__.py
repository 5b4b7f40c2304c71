"""LatestBlessedModel is TFX's Resolver: `strategy` finds the model that a candidate is compared with."""

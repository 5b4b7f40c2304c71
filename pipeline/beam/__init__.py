"""Where the steps run that Beam divides among workers: an engine's options, whether it is there, and its jobs."""

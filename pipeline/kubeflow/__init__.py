"""The pipeline on Kubeflow Pipelines: one container per step, each of which runs `pipeline.run_node`."""

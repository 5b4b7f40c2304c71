"""The pipeline on Kubeflow Pipelines: one container a step, each of which runs `pipeline.run_node`."""

"""The steps, a folder each, named as in the DAG: `component` says what a step takes and gives, `executor` does it."""

"""The steps, one folder each, named as in the graph: `component` declares inputs and outputs, `executor` works."""

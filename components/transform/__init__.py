"""Transform is TFX's own: it exports the graph of `modeling.picture_graph`, from a picture's bytes to a tensor."""

"""An evaluation as TFMA's own components show it, in a page that needs no network."""

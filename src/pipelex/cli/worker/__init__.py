"""`pipelex worker`: polling for work until a signal comes."""

"""`pipelex schedule`: methods that run at times."""

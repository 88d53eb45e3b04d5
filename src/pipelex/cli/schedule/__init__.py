"""`pipelex schedule`: methods that run at set times."""

"""`pipelex validate`: verdicts in words and as JSON lines."""

"""`pipelex run`: inputs, the run itself, and the files it leaves."""

"""`pipelex runs`: the life of runs on an orchestrator that keeps them."""

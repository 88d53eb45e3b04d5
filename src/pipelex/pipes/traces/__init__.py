"""Reading trees of runs: where a pipe stood, and what came before it."""

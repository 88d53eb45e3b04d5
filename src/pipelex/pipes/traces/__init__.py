"""Reads traces of runs: the place of a pipe, and what came before it."""

"""Mistral Workflows, as far as whoever starts and follows runs there knows it: settings, names, what travels, the client.

Runs themselves are in a distribution of its own, `pipelex-mistral-workflows`, which needs Mistral's SDK for workers and
Python 3.12. Nothing here imports that SDK; the client `mistralai` is imported by the first call.
"""

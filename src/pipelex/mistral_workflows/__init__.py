"""The client side of Mistral Workflows: settings, names, the values that travel, and starting and following runs.

The workers are in a separate distribution, `pipelex-mistral-workflows`, which needs Mistral's SDK for workers and
Python 3.12 or newer. Nothing here imports that SDK; the first call to Mistral's API imports the client `mistralai`.
"""

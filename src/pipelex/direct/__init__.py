"""The in-process orchestrator: it awaits child pipes, and performs effects as provider calls in this process.

Nothing is imported here, so that its factory can be asked without loading the code that runs pipes.
"""

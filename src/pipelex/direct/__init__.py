"""The in-process orchestrator: child pipes are awaited, effects are provider calls of this very process.

Nothing is imported here, so that its factory can be asked without loading what runs pipes.
"""

"""The Temporal orchestrator: one workflow per pipe run, one activity per effect.

Nothing is imported here, so that the configuration can be read without the Temporal SDK.
"""

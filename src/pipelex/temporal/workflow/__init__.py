"""Code that runs inside a workflow, and data that travels to and from it. It is deterministic and does no I/O."""

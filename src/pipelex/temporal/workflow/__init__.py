"""Code that runs inside a workflow, and data that travels to and from it: deterministic, without I/O."""

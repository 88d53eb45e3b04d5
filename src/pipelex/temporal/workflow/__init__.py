"""What runs inside a workflow, and what travels to and from it: deterministic, without I/O."""

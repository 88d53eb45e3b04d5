"""Reading documents and images: from bytes to pages, by libraries that were not written for untrusted files.

This package runs in a process of its own, which `pipelex.inference.extract.processes` starts, limits and ends. The
runtime imports only the few types of `source` and `wire`. The package itself needs only `pipelex.errors`, and so starts
quickly. `read` chooses the module that reads a kind of file.
"""

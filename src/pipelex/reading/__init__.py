"""Documents and images read: bytes to pages, by libraries that were never meant for files of strangers.

It runs in a process of its own, which `pipelex.inference.extract.processes` starts, limits and ends; nothing here is
imported by the runtime but the few types of `source` and `wire`. So it needs nothing but `pipelex.errors`, and starts
quickly. `read` says which module reads which kind of file.
"""

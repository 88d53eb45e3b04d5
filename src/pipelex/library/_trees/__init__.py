"""The files that travel with a method: the tree of a folder, what stays out of it, and the files that pipes name."""

"""Files that inputs name, with their places and kinds, and files that hold the inputs themselves."""

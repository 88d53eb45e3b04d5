"""Files that inputs name: where they are, what kind they are of, and files that hold the inputs themselves."""

"""Tools for authors, around a method: fixing older files, static graphs, example inputs and outputs, contracts."""

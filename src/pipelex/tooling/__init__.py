"""Tools for authors of methods: fixes of older files, static graphs, example inputs and outputs, contracts."""

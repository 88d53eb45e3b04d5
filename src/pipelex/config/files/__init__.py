"""Reading files that others may have written."""

"""Reads what the platform keeps of an earlier run, so that the same run or another one can continue from it."""

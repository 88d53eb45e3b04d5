"""Reads what the server keeps of an earlier run, from which the same run or another one continues."""

"""The command of stored files."""

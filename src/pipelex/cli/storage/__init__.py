"""The command for stored files."""

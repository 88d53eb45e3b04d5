"""What was probably meant by a command line with a mistake."""

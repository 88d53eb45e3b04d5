"""Commands around a method's files: fix, format, lint, draw, build, look up."""

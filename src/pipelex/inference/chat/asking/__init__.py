"""Asking one language model: its messages, its answer, its stand-ins, and the spans of it all."""

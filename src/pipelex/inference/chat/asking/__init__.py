"""Asking one language model: its messages, its answers, its stand-ins, and the spans of its requests."""

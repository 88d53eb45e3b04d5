"""Printing HTML as PDF with PlutoPrint: fonts that have every letter, shaped text, and text that can be extracted."""

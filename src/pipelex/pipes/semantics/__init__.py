"""What each pipe type means: one module for each, or for some that are alike."""

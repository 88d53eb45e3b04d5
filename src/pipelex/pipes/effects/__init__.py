"""Effects: what pipes ask to have done outside of their own code."""

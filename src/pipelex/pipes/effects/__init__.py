"""Effects: the work that pipes ask others to do outside the pipes' own code."""

"""What the platform keeps of a run that has ended, and how another run, or the same one, goes on from it."""

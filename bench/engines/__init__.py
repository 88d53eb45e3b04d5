"""The same calls on several engines: what each of them takes on one machine, in one run."""

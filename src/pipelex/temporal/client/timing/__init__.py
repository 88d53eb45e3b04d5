"""The times at which schedules start runs."""

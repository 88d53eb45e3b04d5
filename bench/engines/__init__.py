"""The same model calls on several workflow engines, measured on one machine in one session."""

"""What asks the server from outside of a run: connections, starts, results, histories, waits."""

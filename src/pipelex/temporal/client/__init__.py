"""The client's side of Temporal: connections, starts, results, histories, waits and schedules."""

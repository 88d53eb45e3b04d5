"""The layer that every Temporal-based engine shares: how a pipe runs inside a workflow, over the small port `Host`.

An engine implements `pipelex.durable.host.Host`: it starts a child, schedules an activity, waits, and continues as new.
Everything else that keeps a run durable is here, and is deterministic: the jobs that travel (`jobs`), batches and their
slices, budgets of a history and of a request, limits, failures, routes of activities.
"""

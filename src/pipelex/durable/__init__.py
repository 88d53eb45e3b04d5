"""The layer that every Temporal-based engine shares: how a pipe runs inside a workflow, over the small port `Host`.

An engine implements `pipelex.durable.host.Host`: it starts a child, has an activity performed, waits, and goes on in a new
run. Everything else that keeps a run durable is here, and is as deterministic as the pipes are: what travels (`jobs`),
batches and their slices, budgets of a history and of a request, limits, failures, routes of activities.
"""

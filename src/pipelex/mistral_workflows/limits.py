"""The limits of the platform.

They were measured with Mistral's SDK 3.16 on a Temporal server; see `docs/mistral-workflows.md`.
"""

from typing import Final

from pipelex.durable.limits import EngineLimits

GUARDED_BYTES: Final = 1_500_000
"""The most bytes of a value that travels whole. A workflow with a result of two megabytes would never end, and events,
which repeat inputs and results, are limited to two megabytes."""
CHILD_STARTS: Final = 3_000_000
"""The most bytes of requests to start children that the platform has not yet accepted."""


def limits_of(payload_bytes: int = GUARDED_BYTES) -> EngineLimits:
    """The limits of the platform.

    Args:
        payload_bytes: the most bytes of a value that travels whole, from the settings.
    """
    return EngineLimits(
        engine="Mistral Workflows",
        store_advice="Set a smaller `[mistral_workflows] size_threshold`, so that such values go to the storage; or pass large "
        "documents by URL or file.",
        same_store_advice="Give the same `[runtime.storage]` to every worker of the deployment and wherever runs are "
        "started: large values are kept there.",
        run_time_advice="Raise `[mistral_workflows] execution_timeout` for runs that start from now on; continue this one "
        "with `pipelex runs retry`. `pipelex runs show` says what it waited for.",
        lost_workers_advice="Find out why the workers of the deployment end before such a call does; then continue with "
        "`pipelex runs retry`.",
        payload_bytes=payload_bytes,
        request_bytes=CHILD_STARTS,
    )

"""The core of the Temporal SDK, of which a process has one."""

import logging
from contextlib import suppress
from functools import cache

from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter


@cache
def keep_core_off_stdout(*, is_forwarded: bool) -> None:
    """Keep the SDK's core from writing its warnings to standard output, which is for results.

    A process whose Temporal runtime is made already keeps that one.

    Args:
        is_forwarded: have them among the process's log lines, by the logger `temporalio.core`; otherwise they are left
            out: what somebody who waits for a run has to know is in the errors.
    """
    log = None
    if is_forwarded:
        forwarding = LogForwardingConfig(logging.getLogger("temporalio.core"), append_target_to_name=False)
        log = LoggingConfig(TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding)
    with suppress(RuntimeError):
        Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=log)))

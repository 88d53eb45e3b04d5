"""Turns a tuning profile of the configuration into the values that a worker is built with."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from pipelex.errors import ConfigurationError, TemporalConfigError, near_names
from pipelex.temporal.config import RuntimeProfile, TemporalConfig


@dataclass(frozen=True, slots=True)
class FixedSlots:
    """The maximum numbers of tasks of each kind that run at the same time."""

    workflow_tasks: int
    activities: int
    local_activities: int


@dataclass(frozen=True, slots=True)
class ResourceSlots:
    """Slots that follow the machine's load; both targets are fractions between 0 and 1."""

    target_memory_usage: float
    target_cpu_usage: float
    minimum: int | None
    """The minimum number of slots for each kind of task; None for the SDK's defaults."""
    maximum: int | None
    """The maximum number of slots for each kind of task; None for the SDK's default."""


@dataclass(frozen=True, slots=True)
class Versioning:
    """The deployment version of a worker, for Temporal's Worker Versioning."""

    deployment_name: str
    build_id: str
    behavior: Literal["pinned", "auto_upgrade"]


@dataclass(frozen=True, slots=True)
class WorkerTuning:
    """The values that a worker is built with."""

    profile: str
    slots: FixedSlots | ResourceSlots
    max_cached_workflows: int
    workflow_task_polls: int | None
    """The maximum number of pollers for workflow tasks; None to follow the load."""
    activity_task_polls: int | None
    """The maximum number of pollers for activity tasks; None to follow the load."""
    max_activities_per_second: float | None
    """The maximum rate of this worker's activities, per second; None for no limit."""
    sticky_queue_schedule_to_start_timeout: timedelta
    max_heartbeat_throttle_interval: timedelta
    default_heartbeat_throttle_interval: timedelta
    graceful_shutdown_timeout: timedelta
    versioning: Versioning | None


def worker_tuning(config: TemporalConfig, profile: str | None = None, *, cpu_count: int = 2) -> WorkerTuning:
    """The tuning of a profile.

    Args:
        config: the configuration.
        profile: the name of the profile; None for the configured `default_profile`.
        cpu_count: the number of CPUs, for slots that the profile leaves open.

    Raises:
        ConfigurationError: there is no such profile.
        TemporalConfigError: a variable of the profile has no value.
    """
    profiles = config.worker_runtime_profiles
    name = profiles.default_profile if profile is None else profile
    found = profiles.profiles.get(name)
    if found is None:
        near = near_names(name, profiles.profiles)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known: {', '.join(profiles.profiles)}"
        raise ConfigurationError(
            f"no worker profile is called {name!r}; {hint}",
            advice=f"Name another profile, or add [temporal.worker_runtime_profiles.profiles.{name}].",
        )
    return WorkerTuning(
        profile=name,
        slots=_slots(found, cpu_count),
        max_cached_workflows=found.max_cached_workflows,
        workflow_task_polls=found.max_concurrent_workflow_task_polls,
        activity_task_polls=found.max_concurrent_activity_task_polls,
        max_activities_per_second=found.max_activities_per_second,
        sticky_queue_schedule_to_start_timeout=found.sticky_queue_schedule_to_start_timeout,
        max_heartbeat_throttle_interval=found.max_heartbeat_throttle_interval,
        default_heartbeat_throttle_interval=found.default_heartbeat_throttle_interval,
        graceful_shutdown_timeout=found.graceful_shutdown_timeout,
        versioning=_versioning(name, found),
    )


def _slots(profile: RuntimeProfile, cpu_count: int) -> FixedSlots | ResourceSlots:
    if profile.tuning_mode == "resource_based":
        return ResourceSlots(
            target_memory_usage=profile.target_memory_usage or 0.8,
            target_cpu_usage=profile.target_cpu_usage or 0.9,
            minimum=profile.minimum_slots,
            maximum=profile.maximum_slots,
        )
    # Workflow tasks only compute, so a few per core keep it busy; activities mostly wait for a provider.
    cores = max(1, cpu_count)
    return FixedSlots(
        workflow_tasks=profile.max_concurrent_workflow_tasks or min(100, max(10, 5 * cores)),
        activities=profile.max_concurrent_activities or min(500, max(100, 50 * cores)),
        local_activities=profile.max_concurrent_local_activities or min(100, max(10, 5 * cores)),
    )


def _versioning(name: str, profile: RuntimeProfile) -> Versioning | None:
    if profile.deployment_name is None or profile.build_id is None:
        return None
    for key, value in (("deployment_name", profile.deployment_name), ("build_id", profile.build_id)):
        if "${" in value:
            raise TemporalConfigError(
                f"temporal.worker_runtime_profiles.profiles.{name}.{key}: a variable in {value!r} is not set"
            )
    return Versioning(profile.deployment_name, profile.build_id, profile.versioning_behavior or "pinned")

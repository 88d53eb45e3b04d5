"""The `[mistral_workflows]` settings, read strictly. Nothing here imports the client or the SDK."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Final, Literal, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from pipelex.config import KeyFault, Names, Section, Settings, describe, read_section
from pipelex.config.durations import RequiredLimit
from pipelex.config.secrets import secret_provider
from pipelex.durable.dispatch import HEARTBEAT, ActivityRoutes, DispatchBaseline, DispatchOverlay, Routing
from pipelex.errors import ConfigurationError, Fault, Json, near_names
from pipelex.errors.hidden import hide
from pipelex.mistral_workflows import names
from pipelex.mistral_workflows.limits import GUARDED_BYTES
from pipelex.pipes.effects.kinds import EFFECTS

ROOT: Final = ("mistral_workflows",)
_TRAVEL_TOGETHER: Final = 2
"""The number of values in a request that may travel whole: a job and its crate. Further inputs are in the storage."""
_LATE_EVENTS: Final = timedelta(seconds=10)
"""The longest time that an event takes to reach the platform."""
_DEPLOYMENT: Final = re.compile(r"[A-Za-z0-9_.-]+")
_UNVERSIONED: Final = "default"
"""The deployment to which Mistral's SDK gives no releases."""
_GROUPS: Final = {kind.activity: kind.group for kind in EFFECTS}


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"must be an address that begins with https:// or http://, not {url!r}")
    return url


def _checked_deployment(name: str) -> str:
    if not _DEPLOYMENT.fullmatch(name):
        raise ValueError(f"must consist of letters, digits, '_', '.' and '-', and not be empty; it is {name!r}")
    return name


class ExposedPipes(Section):
    """The pipes that are workflows of their own: by name, with description and input schema, in Mistral's console."""

    libraries: Names = ()
    """The folders and files whose pipes the worker may expose; a relative path starts at the project's root."""
    pipes: Names = ()
    """The references of the pipes, or patterns of them: `billing.*`."""
    workflow_names: dict[str, str] = Field(default_factory=dict[str, str])
    """The reference of an exposed pipe → the name of its workflow; by default `pipe-` and the reference, encoded."""

    def takes(self, pipe: str) -> bool:
        """Whether a pipe is exposed.

        Args:
            pipe: its reference.
        """
        return any(fnmatchcase(pipe, pattern) for pattern in self.pipes)

    def name_of(self, pipe: str) -> str:
        """The name of an exposed pipe's workflow."""
        return self.workflow_names.get(pipe) or names.workflow_name(pipe)


class DeploymentWorker(DispatchBaseline):
    """Defaults of the deployment's workers for activities, where no table says otherwise."""

    max_concurrent_activities: Annotated[int, Field(ge=1)] = 100
    """The most activities of one worker at a time."""
    stop_timeout: RequiredLimit = timedelta(seconds=30)
    """The longest time that a worker takes to end after it was asked to; what has not ended then ends with its process."""


class ActivityOptions(DispatchOverlay):
    """Changes for one activity, or for each of a group."""

    handle_options: dict[str, DispatchOverlay] = Field(default_factory=dict[str, DispatchOverlay])
    """The handle of a model, or the name of a function → what it changes."""


class CallRate(Section):
    """The limit of calls to a backend, over all workers of the deployment."""

    max_calls: Annotated[int, Field(ge=1, le=100_000)]
    """The most calls in the time."""
    per: RequiredLimit = timedelta(minutes=1)
    """The time, in whole seconds, at most an hour."""


class MistralWorkflowsConfig(Section):
    """`[mistral_workflows]`. Made by `parse_mistral_config`; `MistralWorkflowsConfig()` has the packaged defaults."""

    is_enabled: bool = False
    """Whether methods run there unless the caller says otherwise."""
    server_url: Annotated[str, AfterValidator(_checked_url)] = "https://api.mistral.ai"
    """The address of Mistral's API."""
    api_key_method: Literal["env", "secret_provider"] = "env"
    """The source of the API's key: an environment variable, or the secrets."""
    api_key_id: str = "MISTRAL_API_KEY"
    """The name of the variable, or of the secret."""
    deployment_name: Annotated[str, AfterValidator(_checked_deployment)] = "pipelex"
    """The deployment that runs are started in, and that workers serve."""
    build_id: str = ""
    """The release of a worker's deployment: runs stay with the release that began them. Empty: there are no releases."""
    execution_timeout: RequiredLimit = timedelta(hours=24)
    """The longest time of a run, and of each pipe of it."""
    child_workflow_policy: Literal["every_pipe", "controllers"] = "every_pipe"
    """The child pipes that are executions of their own. With `controllers`, a pipe that runs no other is a part of its
    parent's execution. The policy is fixed by whoever starts a run."""
    size_threshold: Annotated[int, Field(ge=1, le=GUARDED_BYTES)] = 131_072
    """The size in bytes above which values go to the storage (`[runtime.storage]`), and travel by reference."""
    max_payload_bytes: Annotated[int, Field(ge=1_000, le=GUARDED_BYTES)] = GUARDED_BYTES
    """The most bytes of values that travel whole together: a job and its crate. Whatever would not fit goes to the storage."""
    poll_interval: RequiredLimit = timedelta(seconds=1)
    """The interval at which a waiting client asks for a run's state."""
    exposed: ExposedPipes = Field(default_factory=ExposedPipes)
    worker_config: DeploymentWorker = Field(default_factory=DeploymentWorker)
    activities: dict[str, ActivityOptions] = Field(default_factory=dict[str, ActivityOptions])
    """The options of activities, by the name of an activity or of a group of them."""
    rate_limits: dict[str, CallRate] = Field(default_factory=dict[str, CallRate])
    """The limits of calls: backend → rate."""

    @property
    def routing(self) -> Routing:
        """The routing of activities. There is one queue: that of the deployment."""
        return Routing(
            baseline=self.worker_config,
            default_queue=self.deployment_name,
            routes={
                name: ActivityRoutes(handle_options=table.handle_options) for name, table in self.activities.items()
            },
            queues={},
            groups=_GROUPS,
            options=self.activities,
        )

    @property
    def stored_above(self) -> int:
        """The size in bytes above which a value is stored, so that a job and its crate fit into `max_payload_bytes`."""
        return min(self.size_threshold, self.max_payload_bytes // _TRAVEL_TOGETHER)

    @property
    def answers_within(self) -> timedelta:
        """The time in which every call under way hears that its run has ended, or has told what it gave."""
        baseline = HEARTBEAT.baseline_value(self.worker_config)
        overlays = [each for table in self.activities.values() for each in (table, *table.handle_options.values())]
        limits = [baseline, *(HEARTBEAT.overlaid(each, baseline) for each in overlays if HEARTBEAT.is_set_by(each))]
        return max([limit for limit in limits if limit is not None], default=timedelta()) + _LATE_EVENTS

    @property
    def lanes(self) -> tuple[str, ...]:
        """The backends with a rate limit, sorted by name."""
        return tuple(sorted(self.rate_limits))


def parse_mistral_config(settings: Settings) -> MistralWorkflowsConfig:
    """Read `[mistral_workflows]` in full.

    Raises:
        ConfigurationError: the settings are wrong. It has one fault for each unknown key, misfitting value, wrong name
            and unset variable.
    """
    table = settings.get(ROOT, {})
    if not isinstance(table, Mapping):
        raise _error([settings.fault(ROOT, f"must be a table, not {table!r}")])
    faults = [
        settings.fault(path, f"environment variable {unset[0]} is not set", of_value=True)
        for path, unset in settings.variables.unset.items()
        if path[:1] == ROOT
    ]
    config, misfits = read_section(
        MistralWorkflowsConfig, cast("Mapping[str, Json]", table), ROOT, interpolated=settings.variables.used
    )
    misfits = [*misfits, *(() if config is None else _misnamed(config))]
    faults += [
        settings.fault(each.path, each.message, suggestions=each.suggestions, of_value=not each.is_unknown)
        for each in misfits
    ]
    if faults or config is None:
        raise _error(faults)
    return config


def check_backends(config: MistralWorkflowsConfig, settings: Settings, backends: Iterable[str]) -> None:
    """Refuse a rate limit of an unknown backend, because it would limit nothing.

    Args:
        config: the tables.
        settings: the settings that they come from.
        backends: the names of the known backends.

    Raises:
        ConfigurationError: a backend is unknown.
    """
    known = sorted(backends)
    faults: list[Fault] = []
    for name in config.rate_limits:
        if name not in known:
            near = near_names(name, known, most=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known backends: {', '.join(known)}"
            message = f"no backend is called {name!r}{hint}"
            faults.append(settings.fault((*ROOT, "rate_limits", name), message, suggestions=near))
    if faults:
        raise _error(faults)


def api_key(config: MistralWorkflowsConfig, settings: Settings) -> str:
    """The key of Mistral's API.

    Raises:
        ConfigurationError: the variable is not set, or there is no such secret.
    """
    name = config.api_key_id
    if config.api_key_method == "env":
        found, place = settings.environ.get(name) or None, f"the environment variable {name}"
    else:
        provider = secret_provider(settings)
        found, place = provider.get(name), provider.describe(name)
    if found is None:
        raise ConfigurationError(
            f"Mistral Workflows needs an API key, and it is not in {place}",
            advice=f"Set it there, or name another with `[mistral_workflows] api_key_id = …`. Keys are made at {_CONSOLE}.",
        )
    hide([found])
    return found


_CONSOLE: Final = "https://console.mistral.ai"


def _error(faults: list[Fault]) -> ConfigurationError:
    return ConfigurationError(
        describe(faults),
        faults=faults,
        advice="Correct the [mistral_workflows] settings named above; `pipelex config show` lists all.",
    )


def _misnamed(config: MistralWorkflowsConfig) -> Iterator[KeyFault]:
    """The faults of names that are unknown, taken or refused, and of periods that are not whole seconds."""
    known = [*_GROUPS, *dict.fromkeys(group for group in _GROUPS.values() if group is not None)]
    for name in config.activities:
        if name not in known:
            near = near_names(name, known, most=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            yield KeyFault((*ROOT, "activities", name), f"no activity is called {name!r}{hint}", tuple(near))
    if config.build_id and config.deployment_name == _UNVERSIONED:
        yield KeyFault((*ROOT, "build_id"), f"the deployment {_UNVERSIONED!r} has no releases; name another")
    seen: dict[str, str] = {}
    for pipe, name in config.exposed.workflow_names.items():
        at = (*ROOT, "exposed", "workflow_names", pipe)
        why = names.why_not_a_name(name)
        if why is not None:
            yield KeyFault(at, f"the workflow name {name!r} {why}")
        if name in (names.RUN_PIPE, names.RUN_SLICE):
            yield KeyFault(at, f"the workflow name {name!r} is reserved by Pipelex")
        if name in seen:
            yield KeyFault(at, f"the workflow name {name!r} is that of pipe '{seen[name]}' already")
        if not config.exposed.takes(pipe):
            yield KeyFault(at, f"pipe '{pipe}' is not among the exposed ones: add it to 'pipes'")
        seen[name] = pipe
    for backend, rate in config.rate_limits.items():
        seconds = rate.per.total_seconds()
        if seconds != int(seconds) or not 1 <= seconds <= 3600:
            yield KeyFault((*ROOT, "rate_limits", backend, "per"), "must be a whole number of seconds, an hour at most")

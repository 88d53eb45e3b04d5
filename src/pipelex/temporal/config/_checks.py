"""Finds the faults that the models of the tables cannot find: undefined names, and keys that contradict each other."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal

from pipelex.config import KeyFault, inert_keys, lookup, read_section
from pipelex.config._keys import Path
from pipelex.durable.dispatch import ActivityRoutes, DispatchOverlay
from pipelex.durable.dispatch.options import INITIAL_INTERVAL, MAXIMUM_INTERVAL, RETRY_TABLE
from pipelex.errors import near_names
from pipelex.temporal.config._models import (
    EXPLICIT_KEYS,
    RESOURCE_KEYS,
    STORES,
    TemporalConfig,
    WorkerScope,
)
from pipelex.temporal.config.catalog import (
    ACTIVITIES,
    FORMER_ACTIVITIES,
    GROUPS,
    RUNNERS,
    SEARCH_ATTRIBUTES,
    TASKS_PACKS,
    WORKFLOWS,
)

BUILT_IN_SCOPES = ("full", "router", "runner", *RUNNERS)


_OF_THE_SERVER = frozenset(
    (
        "WorkflowId", "RunId", "WorkflowType", "ExecutionStatus", "TaskQueue", "StartTime", "CloseTime",
        "ExecutionTime", "ExecutionDuration", "StateTransitionCount", "HistoryLength", "HistorySizeBytes",
        "BuildIds", "ParentWorkflowId", "ParentRunId", "RootWorkflowId", "RootRunId", "BatcherUser",
    )
)  # fmt: skip
"""The names of Temporal's own search attributes, which a custom attribute cannot have."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A fault and its severity."""

    fault: KeyFault
    severity: Literal["error", "warning"] = "error"


def check_names(config: TemporalConfig) -> Iterator[Notice]:
    """The faults of a configuration whose individual values are all valid."""
    yield from _check_server(config)
    yield from _check_routes(config)
    yield from _check_retries(config)
    yield from _check_scopes(config)
    yield from _check_profiles(config)
    for name in config.search_attributes.attributes:
        if name not in SEARCH_ATTRIBUTES:
            path = ("temporal", "search_attributes", "attributes")
            more = f"; one of your own goes into [temporal.search_attributes.custom.{name}]"
            yield _unknown_name(path, "search attribute", name, SEARCH_ATTRIBUTES, more)
    for name in config.search_attributes.custom:
        path = ("temporal", "search_attributes", "custom", name)
        if name in SEARCH_ATTRIBUTES or name.startswith("Temporal") or name in _OF_THE_SERVER:
            yield Notice(KeyFault(path, f"{name!r} is an attribute that Pipelex or Temporal itself sets"))
        elif not name.isidentifier():
            yield Notice(KeyFault(path, f"{name!r} is not an attribute name: use letters, digits and _"))
    yield from _check_payloads(config)


def _unknown_name(path: Path, kind: str, name: str, known: Iterable[str], more: str = "") -> Notice:
    names = list(known)
    near = near_names(name, names, most=1)
    if near:
        hint = f"; did you mean {near[0]!r}?"
    elif names and len(names) <= 20:
        hint = f"; known: {', '.join(names)}"
    else:
        hint = ""
    return Notice(KeyFault(path, f"no {kind} is called {name!r}{hint}{more}", near))


def _check_server(config: TemporalConfig) -> Iterator[Notice]:
    servers = config.temporal_config.temporal_server_configs
    selected = config.temporal_config.selected_server
    root = ("temporal", "temporal_config")
    if selected not in servers:
        yield _unknown_name((*root, "selected_server"), "server profile", selected, servers)
    for name, server in servers.items():
        if server.api_key_method != "none" and not server.api_key_id:
            path = (*root, "temporal_server_configs", name, "api_key_method")
            yield Notice(KeyFault(path, f"{server.api_key_method!r} needs api_key_id beside it"))


def _check_routes(config: TemporalConfig) -> Iterator[Notice]:
    known = [*ACTIVITIES, *GROUPS]
    for activity, routes in config.activity_queues.items():
        path = ("temporal", "activity_queues", activity)
        if activity in FORMER_ACTIVITIES:
            message = "has no effect: this activity of older releases has no counterpart"
            yield Notice(KeyFault(path, message), "warning")
        elif activity not in known:
            yield _unknown_name(path, "activity or group", activity, known)
        else:
            yield from _check_keys_of_routes(activity, routes, path)
        for route, queue in _queues_of(routes):
            if queue not in config.queue_options and queue != config.worker_config.default_task_queue:
                yield _unknown_queue(config, (*path, *route), queue)


def _queues_of(routes: ActivityRoutes) -> Iterator[tuple[Path, str]]:
    if routes.default is not None:
        yield ("default",), routes.default
    for handle, queue in routes.by_handle.items():
        yield ("by_handle", handle), queue
    for backend, queue in routes.by_backend.items():
        yield ("by_backend", backend), queue


def _unknown_queue(config: TemporalConfig, path: Path, queue: str) -> Notice:
    known = [*config.queue_options, config.worker_config.default_task_queue]
    near = near_names(queue, known, most=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    table = f'"{queue}"' if "." in queue or " " in queue else queue
    message = (
        f"no table defines the queue {queue!r}{hint} A queue named in a route has a table "
        f"[temporal.queue_options.{table}], empty if need be"
    )
    return Notice(KeyFault(path, message if near else message.replace(" A queue", ". A queue", 1), near))


def _check_keys_of_routes(activity: str, routes: ActivityRoutes, path: Path) -> Iterator[Notice]:
    if activity in GROUPS:
        return
    key = ACTIVITIES[activity].routing_key
    dead = {None: ("by_handle", "by_backend", "handle_options"), "function": ("by_backend",)}.get(key, ())
    for name in dead:
        if getattr(routes, name):
            message = (
                f"has no effect: {activity} is not routed by {'a backend' if name == 'by_backend' else 'a handle'}"
            )
            yield Notice(KeyFault((*path, name), message), "warning")


def _check_retries(config: TemporalConfig) -> Iterator[Notice]:
    """Find retry policies whose maximum interval is below the initial one, even by overlays. Temporal refuses them."""
    queues: list[_Layer] = [None, *_overlays(config.queue_options, "queue_options")]
    handles: list[_Layer] = [None]
    for activity, routes in config.activity_queues.items():
        handles += _overlays(routes.handle_options, "activity_queues", activity, "handle_options")
    blamed: set[Path] = set()
    for layers in product(queues, handles):
        initial = INITIAL_INTERVAL.baseline_value(config.worker_config)
        longest = MAXIMUM_INTERVAL.baseline_value(config.worker_config)
        path: Path = ("temporal", "worker_config", RETRY_TABLE, MAXIMUM_INTERVAL.key)
        for table, overlay in filter(None, layers):
            if INITIAL_INTERVAL.is_set_by(overlay):
                initial = INITIAL_INTERVAL.overlaid(overlay, initial)
                path = (*table, RETRY_TABLE, INITIAL_INTERVAL.key)
            if MAXIMUM_INTERVAL.is_set_by(overlay):
                longest = MAXIMUM_INTERVAL.overlaid(overlay, longest)
                path = (*table, RETRY_TABLE, MAXIMUM_INTERVAL.key)
        if longest is not None and longest < initial and path not in blamed:
            blamed.add(path)
            yield Notice(KeyFault(path, f"the maximum interval would be {longest}, below the initial one of {initial}"))


_Layer = tuple[Path, DispatchOverlay] | None


def _overlays(overlays: Mapping[str, DispatchOverlay], *table: str) -> list[_Layer]:
    return [(("temporal", *table, name), overlay) for name, overlay in overlays.items()]


def _check_scopes(config: TemporalConfig) -> Iterator[Notice]:
    scopes = config.worker_scopes
    root = ("temporal", "worker_scopes")
    if scopes.default_scope not in (*BUILT_IN_SCOPES, *scopes.scopes):
        known = dict.fromkeys([*BUILT_IN_SCOPES, *scopes.scopes])
        yield _unknown_name((*root, "default_scope"), "scope", scopes.default_scope, known)
    for name, scope in scopes.scopes.items():
        yield from _check_scope(scope, (*root, "scopes", name))


def _check_scope(scope: WorkerScope, path: Path) -> Iterator[Notice]:
    for pack in scope.required_tasks_packs:
        if pack not in TASKS_PACKS:
            yield _unknown_name((*path, "required_tasks_packs"), "tasks pack", pack, TASKS_PACKS)
    for key in ("required_workflows", "excluded_workflows"):
        for workflow in getattr(scope, key):
            if workflow not in WORKFLOWS:
                yield _unknown_name((*path, key), "workflow", workflow, WORKFLOWS)
    for key in ("required_activities", "excluded_activities"):
        for activity in getattr(scope, key):
            if activity in FORMER_ACTIVITIES:
                message = f"{activity!r} has no effect: this activity of older releases has no counterpart"
                yield Notice(KeyFault((*path, key), message), "warning")
            elif activity not in ACTIVITIES:
                yield _unknown_name((*path, key), "activity", activity, ACTIVITIES)


def _check_profiles(config: TemporalConfig) -> Iterator[Notice]:
    profiles = config.worker_runtime_profiles
    root = ("temporal", "worker_runtime_profiles")
    if profiles.default_profile not in profiles.profiles:
        yield _unknown_name((*root, "default_profile"), "profile", profiles.default_profile, profiles.profiles)
    for name, profile in profiles.profiles.items():
        path = (*root, "profiles", name)
        foreign = RESOURCE_KEYS if profile.tuning_mode == "explicit" else EXPLICIT_KEYS
        other = "resource_based" if profile.tuning_mode == "explicit" else "explicit"
        for key in foreign:
            if key in profile.model_fields_set:
                message = f"belongs to tuning_mode = {other!r}; this profile's is {profile.tuning_mode!r}"
                yield Notice(KeyFault((*path, key), message))
        if profile.minimum_slots and profile.maximum_slots and profile.minimum_slots > profile.maximum_slots:
            yield Notice(KeyFault((*path, "minimum_slots"), f"is above maximum_slots ({profile.maximum_slots})"))
        if (profile.deployment_name is None) != (profile.build_id is None):
            has, lacks = ("build_id", "deployment_name") if profile.build_id else ("deployment_name", "build_id")
            yield Notice(KeyFault((*path, has), f"needs {lacks} beside it"))
        elif profile.versioning_behavior is not None and profile.deployment_name is None:
            yield Notice(KeyFault((*path, "versioning_behavior"), "needs deployment_name and build_id beside it"))


def _check_payloads(config: TemporalConfig) -> Iterator[Notice]:
    codec = config.payload_codec_config
    root = ("temporal", "payload_codec_config")
    provider = codec.storage_provider_config
    path = (*root, "storage_provider_config", provider.method)
    if codec.is_enabled is not False:  # if the store is off, its tables may have any keys, such as an earlier release's
        found, faults = read_section(STORES[provider.method], provider.table, path)
        for fault in faults:
            yield Notice(fault)
        for inert, why in inert_keys(STORES[provider.method]):
            if lookup(provider.table, inert)[1]:
                yield Notice(KeyFault((*path, *inert), f"{why}; it has no effect"), "warning")
        name = {"s3": "bucket", "gcs": "bucket", "azure": "container"}.get(provider.method)
        if found is not None and name is not None and not getattr(found, name):
            yield Notice(KeyFault((*path, name), f"is missing, and method is {provider.method!r}"))
    if codec.encryption is not None and codec.encryption.key_id in codec.encryption.decrypt_keys:
        message = f"has the key {codec.encryption.key_id!r}, which is the one in use; give a new key a new id"
        yield Notice(KeyFault((*root, "encryption", "decrypt_keys"), message))

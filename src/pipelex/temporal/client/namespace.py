"""Makes namespaces, and registers the search attributes that a namespace must know before workflows may carry them.

Source: section 8 of the distributed-execution reference.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.orchestration import EngineUnavailable
from pipelex.temporal.client.attributes import INDEXED, KEYWORD, wanted_types
from pipelex.temporal.client.connect import check_namespace
from pipelex.temporal.config import TemporalConfig

_RPC = timedelta(seconds=10)
DEFAULT_TARGET: Final = "localhost:7233"
"""The address that the `temporal` command uses by default."""


@dataclass(frozen=True)
class NamespaceState:
    """The search attributes that a namespace lacks, or knows with other types."""

    namespace: str
    missing: tuple[str, ...] = ()
    types: Mapping[str, str] = field(default_factory=dict[str, str])
    """Each configured attribute → its type."""
    differing: Mapping[str, str] = field(default_factory=dict[str, str])
    """An attribute that is registered with another type → that type."""
    problem: str | None = None
    """The reason why the operator service cannot be asked; None if it can."""
    server: str = "local"
    """The name of the server profile."""
    target: str = DEFAULT_TARGET

    @property
    def is_known(self) -> bool:
        return self.problem is None

    def _type(self, name: str) -> str:
        return self.types.get(name, KEYWORD)

    def setup_commands(self, names: Sequence[str] = ()) -> list[str]:
        """The commands by which an administrator registers the missing attributes, or the given ones."""
        wanted = names or self.missing
        operator = " ".join(f"--name {name} --type {self._type(name)}" for name in wanted)
        cloud = " ".join(f'--sa "{name}={self._type(name)}"' for name in wanted)
        profile = "" if self.server == "local" else f" --server {self.server}"
        address = "" if self.target == DEFAULT_TARGET else f" --address {self.target}"
        return [
            f"  pipelex setup-temporal-namespace{profile}",
            f"  temporal operator search-attribute create{address} --namespace {self.namespace} {operator}",
            f"  tcld namespace search-attributes add --namespace {self.namespace} {cloud}",
        ]


class SearchAttributeRegistrationError(PipelexError):
    """A namespace lacks search attributes, and this client may not register them."""

    def __init__(self, state: NamespaceState, reason: str) -> None:
        names = ", ".join(state.missing)
        super().__init__(
            "runtime.misconfigured",
            f"namespace '{state.namespace}' does not know the search attributes {names}, and they could not be "
            f"registered: {reason}",
            category=ErrorCategory.CONFIGURATION,
            params={"component": "search_attributes"},
            advice="\n".join([*_on_limits(reason), "Have an administrator run one of:", *state.setup_commands()]),
        )


_LIMITS: Final = "cannot have more than"
"""The words by which a server says that it has no room for another attribute of a type."""


def _on_limits(reason: str) -> list[str]:
    if _LIMITS not in reason:
        return []
    return [
        "A server on an SQL store has room for few attributes: ten of type Keyword, three of each other type. Declare fewer, "
        "take a KeywordList for several, or leave out some of the five built-in ones (`attributes`)."
    ]


def differing_types(state: NamespaceState) -> PipelexError:
    """The error for attributes that the namespace knows with other types."""
    told = ", ".join(f"{name} is {known} there, not {state.types[name]}" for name, known in state.differing.items())
    return PipelexError(
        "runtime.misconfigured",
        f"namespace '{state.namespace}' knows search attributes with other types: {told}",
        category=ErrorCategory.CONFIGURATION,
        params={"component": "search_attributes"},
        advice="Declare the type that the namespace knows, or take another name: a server keeps the type of a name.",
    )


async def inspect(client: Client, config: TemporalConfig) -> NamespaceState:
    """The configured search attributes that the client's namespace lacks, or knows with other types."""
    if not config.search_attributes.enabled:
        return NamespaceState(client.namespace)
    server, target = config.temporal_config.selected_server, client.service_client.config.target_host
    try:
        known = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace), timeout=_RPC
        )
    except RPCError as failed:
        return NamespaceState(client.namespace, problem=failed.message, server=server, target=target)
    types = wanted_types(config)
    missing = tuple(name for name in types if name not in known.custom_attributes)
    names = {number: name for name, number in INDEXED.items()}
    differing = {
        name: names.get(known.custom_attributes[name], "another")
        for name, kind in types.items()
        if name in known.custom_attributes and known.custom_attributes[name] != INDEXED[kind]
    }
    return NamespaceState(client.namespace, missing, types, differing, server=server, target=target)


async def register(client: Client, state: NamespaceState) -> None:
    """Register the missing search attributes.

    Raises:
        SearchAttributeRegistrationError: the client may not register them, or the server refuses.
        PipelexError: the namespace knows an attribute with another type.
    """
    if state.differing:
        raise differing_types(state)
    if not state.missing:
        return
    request = AddSearchAttributesRequest(
        namespace=client.namespace,
        search_attributes={name: INDEXED[state.types[name]] for name in state.missing},
    )
    try:
        await client.operator_service.add_search_attributes(request, timeout=_RPC)
    except RPCError as refused:
        if refused.status == RPCStatusCode.ALREADY_EXISTS:
            return
        raise SearchAttributeRegistrationError(state, refused.message) from None


async def is_missing(client: Client) -> bool:
    """Whether the server answers that it has no such namespace.

    Args:
        client: a client that was connected without `checks`.
    """
    try:
        await check_namespace(client)
    except RPCError as refused:
        return refused.status == RPCStatusCode.NOT_FOUND
    return False


async def create(client: Client, retention: timedelta) -> bool:
    """Make the client's namespace, and wait until it can be used.

    Args:
        client: a client that was connected without `checks`.
        retention: the time for which the namespace keeps runs that have ended.

    Returns:
        Whether the namespace was made; False if it existed already.

    Raises:
        EngineUnavailable: the namespace cannot be made from here.
    """
    request = RegisterNamespaceRequest(namespace=client.namespace)
    request.workflow_execution_retention_period.FromTimedelta(retention)
    try:
        await client.workflow_service.register_namespace(request, timeout=_RPC)
    except RPCError as refused:
        if refused.status == RPCStatusCode.ALREADY_EXISTS:
            return False
        raise EngineUnavailable(
            "runtime.misconfigured",
            f"namespace '{client.namespace}' cannot be made from here: {refused.message}",
            category=ErrorCategory.CONFIGURATION,
            params={"component": "namespace"},
            advice="Have an administrator make it; on Temporal Cloud, in the console or with `tcld namespace create`.",
        ) from None
    for _ in range(_LOOKS):
        with suppress(RPCError):
            await client.operator_service.list_search_attributes(
                ListSearchAttributesRequest(namespace=client.namespace), timeout=_RPC
            )
            return True
        await asyncio.sleep(_PAUSE)
    return True


_LOOKS: Final = 60
_PAUSE: Final = 0.5

"""The search attributes a namespace must know before workflows may carry them.

Source: section 8 of the distributed-execution reference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.temporal.config import TemporalConfig

_RPC = timedelta(seconds=10)
DEFAULT_TARGET: Final = "localhost:7233"
"""Where the `temporal` command looks by itself."""


@dataclass(frozen=True)
class NamespaceState:
    """What a namespace lacks."""

    namespace: str
    missing: tuple[str, ...] = ()
    problem: str | None = None
    """Why the operator service cannot be asked, where it cannot."""
    server: str = "local"
    """Name of the server profile."""
    target: str = DEFAULT_TARGET

    @property
    def is_known(self) -> bool:
        return self.problem is None

    def setup_commands(self, names: Sequence[str] = ()) -> list[str]:
        """What an administrator may run instead of us to register what is missing (or these names)."""
        wanted = names or self.missing
        operator = " ".join(f"--name {name} --type Keyword" for name in wanted)
        cloud = " ".join(f'--sa "{name}=Keyword"' for name in wanted)
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
            advice="\n".join(["Have an administrator run one of:", *state.setup_commands()]),
        )


async def inspect(client: Client, config: TemporalConfig) -> NamespaceState:
    """Which of the configured attributes the client's namespace lacks."""
    if not config.search_attributes.enabled:
        return NamespaceState(client.namespace)
    server, target = config.temporal_config.selected_server, client.service_client.config.target_host
    try:
        known = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace), timeout=_RPC
        )
    except RPCError as failed:
        return NamespaceState(client.namespace, problem=failed.message, server=server, target=target)
    names = set(known.custom_attributes)
    missing = tuple(name for name in config.search_attributes.attributes if name not in names)
    return NamespaceState(client.namespace, missing, server=server, target=target)


async def register(client: Client, state: NamespaceState) -> None:
    """Register what is missing.

    Raises:
        SearchAttributeRegistrationError: it may not, or the server refuses.
    """
    if not state.missing:
        return
    request = AddSearchAttributesRequest(
        namespace=client.namespace,
        search_attributes=dict.fromkeys(state.missing, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD),
    )
    try:
        await client.operator_service.add_search_attributes(request, timeout=_RPC)
    except RPCError as refused:
        if refused.status == RPCStatusCode.ALREADY_EXISTS:
            return
        raise SearchAttributeRegistrationError(state, refused.message) from None

"""The search attributes a namespace must know before workflows may carry them.

Source: section 8 of the distributed-execution reference.
"""

from dataclasses import dataclass
from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.temporal.config import TemporalConfig

_RPC = timedelta(seconds=10)


@dataclass(frozen=True)
class NamespaceState:
    """What a namespace lacks."""

    namespace: str
    missing: tuple[str, ...]
    is_known: bool = True
    """False where the operator service cannot be asked."""


class SearchAttributeRegistrationError(PipelexError):
    """A namespace lacks search attributes, and this client may not register them."""

    def __init__(self, namespace: str, missing: tuple[str, ...], reason: str) -> None:
        names = ", ".join(missing)
        super().__init__(
            "runtime.misconfigured",
            f"namespace '{namespace}' does not know the search attributes {names}, and they could not be registered: {reason}",
            category=ErrorCategory.CONFIGURATION,
            params={"component": "search_attributes"},
            advice="\n".join(["Have an administrator run one of:", *setup_commands(namespace, missing)]),
        )


def setup_commands(namespace: str, missing: tuple[str, ...]) -> list[str]:
    """What an administrator may run instead of us."""
    operator = " ".join(f"--name {name} --type Keyword" for name in missing)
    cloud = " ".join(f'--sa "{name}=Keyword"' for name in missing)
    return [
        "  pipelex setup-temporal-namespace",
        f"  temporal operator search-attribute create --namespace {namespace} {operator}",
        f"  tcld namespace search-attributes add --namespace {namespace} {cloud}",
    ]


async def inspect(client: Client, config: TemporalConfig) -> NamespaceState:
    """Which of the configured attributes the client's namespace lacks."""
    if not config.search_attributes.enabled:
        return NamespaceState(client.namespace, ())
    try:
        known = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace), timeout=_RPC
        )
    except RPCError:
        return NamespaceState(client.namespace, (), is_known=False)
    names = set(known.custom_attributes)
    return NamespaceState(
        client.namespace, tuple(name for name in config.search_attributes.attributes if name not in names)
    )


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
        raise SearchAttributeRegistrationError(client.namespace, state.missing, refused.message) from None

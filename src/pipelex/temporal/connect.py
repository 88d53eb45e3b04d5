"""Reaching the Temporal cluster that the configuration names."""

import asyncio
from datetime import timedelta
from typing import Final

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.service import RPCError, RPCStatusCode, TLSConfig

from pipelex.errors import ErrorCategory, Location, PipelexError
from pipelex.temporal.config import ConnectionSettings
from pipelex.temporal.tracing import interceptors

CONNECT_SECONDS = 4.0


async def connect(settings: ConnectionSettings, converter: DataConverter = DataConverter.default) -> Client:
    """A client of the configured cluster and namespace, checked to answer.

    Args:
        settings: which cluster.
        converter: of everything that has to do with runs, see `pipelex.temporal.codec.data_converter`.

    Raises:
        PipelexError: nothing answers there, the key is refused, or there is no such namespace.
    """
    try:
        client = await asyncio.wait_for(
            Client.connect(
                settings.target_host,
                namespace=settings.namespace,
                api_key=settings.api_key.get_secret_value() if settings.api_key is not None else None,
                tls=_tls(settings),
                rpc_metadata=dict(settings.rpc_metadata),
                data_converter=converter,
                interceptors=interceptors(),
            ),
            CONNECT_SECONDS,
        )
        await _check_namespace(client, settings)
    except (RuntimeError, TimeoutError, RPCError, OSError) as failed:
        raise _unreachable(settings, failed) from None
    return client


def _tls(settings: ConnectionSettings) -> TLSConfig | bool | None:
    tls = settings.tls
    if tls is None:
        return None
    return TLSConfig(
        server_root_ca_cert=tls.server_root_ca_cert,
        domain=tls.server_name,
        client_cert=tls.client_cert,
        client_private_key=tls.client_private_key,
    )


async def _check_namespace(client: Client, settings: ConnectionSettings) -> None:

    await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=settings.namespace), timeout=timedelta(seconds=CONNECT_SECONDS)
    )


_REFUSALS: Final = {
    "code: Unauthenticated": RPCStatusCode.UNAUTHENTICATED,
    "code: PermissionDenied": RPCStatusCode.PERMISSION_DENIED,
}


def _status(failed: BaseException) -> RPCStatusCode | None:
    if isinstance(failed, RPCError):
        return failed.status
    # A refusal of the very first call is an error without a status of its own: the SDK only prints it.
    return next((status for text, status in _REFUSALS.items() if text in str(failed)), None)


def _unreachable(settings: ConnectionSettings, failed: BaseException) -> PipelexError:
    where = f"Temporal at {settings.target_host}"
    code, advice = "runtime.unavailable", "Start it (`pipelex dev` runs one here), or select another server."
    detail = f"no {where} answers"
    status = _status(failed)
    if status is not None:
        match status:
            case RPCStatusCode.NOT_FOUND:
                code = "runtime.misconfigured"
                detail = f"{where} has no namespace '{settings.namespace}'"
                advice = (
                    f"Create it (`temporal operator namespace create --namespace {settings.namespace}`), or set "
                    "another namespace for the selected server."
                )
            case RPCStatusCode.UNAUTHENTICATED | RPCStatusCode.PERMISSION_DENIED:
                code = "runtime.misconfigured"
                detail = f"{where} refuses the credentials for namespace '{settings.namespace}'"
                advice = (
                    "Check the API key or the client certificate of the selected server, and that it has not expired."
                )
            case _:
                detail = f"{where} answers with an error: {failed}"
    elif "certificate" in str(failed) or "tls" in str(failed).lower():
        detail = f"{where} cannot be reached over TLS: {failed}"
        advice = "Check the tls table of the selected server."
    return PipelexError(
        code,
        detail,
        category=ErrorCategory.CONFIGURATION if code == "runtime.misconfigured" else ErrorCategory.TRANSIENT,
        params={"dependency": "temporal"} if code == "runtime.unavailable" else {"component": "temporal"},
        location=Location(),
        advice=advice,
    )

"""Connects to the Temporal cluster that the configuration names."""

import asyncio
from datetime import timedelta
from typing import Final

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.service import RetryConfig, RPCError, TLSConfig

from pipelex.temporal.client.unreachable import unreachable
from pipelex.temporal.config import ConnectionSettings
from pipelex.temporal.sdk_core import keep_core_off_stdout
from pipelex.temporal.tracing import interceptors

CONNECT_SECONDS = 3.5
"""The time limit for connecting, in seconds, so that a command reports a failure within five seconds."""


OF_A_WORKER: Final = RetryConfig(max_elapsed_time_millis=120_000, max_retries=1_000)
"""How long a worker tries to report a result. The default, ten seconds, is shorter than the restart of many servers."""


async def connect(
    settings: ConnectionSettings,
    converter: DataConverter = DataConverter.default,
    *,
    checks: bool = True,
    retries: RetryConfig | None = None,
) -> Client:
    """A client of the configured cluster and namespace, after a check that the cluster answers.

    Args:
        settings: the settings of the connection.
        converter: the data converter; for anything that involves runs, that of `pipelex.temporal.codec.data_converter`.
        checks: whether to check that the namespace exists.
        retries: how long and how often a request is repeated while the server is away; the SDK's default when None.

    Raises:
        EngineUnavailable: nothing answers there, the key is refused, or there is no such namespace; see `unreachable`.
    """
    keep_core_off_stdout(is_forwarded=False)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            client = await Client.connect(
                settings.target_host,
                namespace=settings.namespace,
                api_key=settings.api_key.get_secret_value() if settings.api_key is not None else None,
                tls=_tls(settings),
                rpc_metadata=dict(settings.rpc_metadata),
                data_converter=converter,
                interceptors=interceptors(),
                retry_config=retries,
            )
            if checks:
                await check_namespace(client)
    except (RuntimeError, TimeoutError, RPCError, OSError) as failed:
        raise unreachable(settings, failed) from None
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


async def check_namespace(client: Client) -> None:
    """Check that the server answers, and knows the client's namespace.

    Raises:
        RPCError: the server does not answer, or has no such namespace.
    """
    await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=client.namespace), timeout=timedelta(seconds=CONNECT_SECONDS)
    )

"""Errors for a cluster that cannot be reached, with advice on what to change."""

import shlex
from typing import Final

from temporalio.service import RPCError, RPCStatusCode

from pipelex.errors import ErrorCategory
from pipelex.orchestration import EngineUnavailable
from pipelex.temporal.config import ConnectionSettings

_REFUSALS: Final = {
    "code: Unauthenticated": RPCStatusCode.UNAUTHENTICATED,
    "code: PermissionDenied": RPCStatusCode.PERMISSION_DENIED,
}
_DEFAULT_PORT: Final = "7233"

# Name of an error in the SDK's TLS library → the problem in words, and the setting to change.
_TLS_FAILURES: Final = {
    "InvalidContentType": (
        "it does not speak TLS",
        "Leave the tls table and the API key out, or name a port with TLS.",
    ),
    "UnknownIssuer": (
        "its certificate was issued by a CA that is not trusted here",
        "Set tls.server_root_ca_cert to the certificate of that CA.",
    ),
    "NotValidForName": ("its certificate is for other names", "Set tls.server_name to one of them."),
    "Expired": ("its certificate has expired", "Have it renewed."),
    "PrivateKeyParseError": ("tls.client_private_key is not a private key in PEM", "Name the file of the key."),
    "InvalidCertificate": ("its certificate is not accepted", "Check the tls table."),
}
_CLOSED: Final = ("BrokenPipe", "ConnectionReset", "UnexpectedEof", "connection closed")
"""Words in the error for a closed connection. A server that expects TLS or a client certificate may give no reason."""


def unreachable(settings: ConnectionSettings, failed: BaseException) -> EngineUnavailable:
    """The error for a connection that could not be made.

    Args:
        settings: the settings of the connection.
        failed: the exception of the SDK.
    """
    where = f"Temporal at {settings.target_host}"
    profile = f"server profile '{settings.server}'"
    status = _status(failed)
    match status:
        case RPCStatusCode.NOT_FOUND:
            create = f"pipelex setup-temporal-namespace --create --server {shlex.quote(settings.server)}"
            by_server = f"temporal operator namespace create --namespace {settings.namespace}"
            return _misconfigured(
                f"{where} has no namespace '{settings.namespace}'",
                f"Create it (`{create}`, or `{by_server}`), or set another namespace in {profile}.",
            )
        case RPCStatusCode.UNAUTHENTICATED | RPCStatusCode.PERMISSION_DENIED:
            return _misconfigured(
                f"{where} refuses the credentials for namespace '{settings.namespace}'",
                f"Check the API key or the client certificate of {profile}, and that it has not expired.",
            )
        case None:
            pass
        case _:
            return _unavailable(f"{where} answers with an error: {failed}", f"Check the server of {profile}.")
    text = str(failed)
    for name, (what, remedy) in _TLS_FAILURES.items():
        if name in text:
            return _misconfigured(f"{where} cannot be reached over TLS: {what}", f"{remedy} ({profile})")
    if any(name in text for name in _CLOSED):
        if settings.tls is None:
            return _unavailable(
                f"{where} closes the connection; it may want TLS", f"If so, add a tls table to {profile}: `tls = {{}}`."
            )
        return _unavailable(
            f"{where} closes the connection after the TLS handshake; it may want a client certificate that it knows",
            f"Check tls.client_cert and tls.client_private_key of {profile}.",
        )
    return _unavailable(f"no {where} answers", f"{_start(settings)}, or select another server.")


def _status(failed: BaseException) -> RPCStatusCode | None:
    if isinstance(failed, RPCError):
        return failed.status
    # If the very first call is refused, the SDK's error has the status only in its text.
    return next((status for text, status in _REFUSALS.items() if text in str(failed)), None)


def _start(settings: ConnectionSettings) -> str:
    if not settings.is_local:
        return "Start the server there"
    port = settings.target_host.rpartition(":")[2]
    return f"Start one here, with a worker (`pipelex dev{'' if port == _DEFAULT_PORT else f' --port {port}'}`)"


def _misconfigured(detail: str, advice: str) -> EngineUnavailable:
    return EngineUnavailable(
        "runtime.misconfigured",
        detail,
        category=ErrorCategory.CONFIGURATION,
        params={"component": "temporal"},
        advice=advice,
    )


def _unavailable(detail: str, advice: str) -> EngineUnavailable:
    return EngineUnavailable(
        "runtime.unavailable",
        detail,
        category=ErrorCategory.TRANSIENT,
        params={"dependency": "temporal"},
        advice=advice,
    )

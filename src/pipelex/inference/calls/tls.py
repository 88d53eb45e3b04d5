"""The check of the certificate of a backend's server."""

from typing import TYPE_CHECKING

from pipelex.errors import ConfigurationError
from pipelex.inference.deck.catalog import Backend

if TYPE_CHECKING:
    from ssl import SSLContext


def tls_of(backend: Backend) -> "SSLContext | bool":
    """The value of `verify` for an HTTP client; True leaves the check to the client.

    Raises:
        ConfigurationError: the file of certificates of the backend cannot be read.
    """
    if not backend.table.verify:
        return False
    if backend.table.ca_bundle is None:
        return True
    from ssl import create_default_context

    try:
        return create_default_context(cafile=backend.table.ca_bundle)
    except OSError as error:
        raise ConfigurationError(
            f"the certificates of the backend {backend.id!r} cannot be read from '{backend.table.ca_bundle}': {error}",
            advice=f"Set 'ca_bundle' of [{backend.id}] in backends.toml to a file in PEM format.",
        ) from None

"""The options of `pipelex init` for an endpoint behind a gateway: headers, certificates, a token parameter."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipelex.cli._shared.group import Misuse

if TYPE_CHECKING:
    from pipelex.inference.local_servers import EndpointAccess

_HEADER = re.compile(r"([!#$%&'*+.^_`|~\w-]+)(?:=|:\s*)(.+)", re.ASCII)


@dataclass(frozen=True)
class GatewayFlags:
    """The options that say how an endpoint is reached."""

    header: Annotated[
        list[str] | None,
        typer.Option(
            "--header", metavar="NAME=VALUE", help="A header of every request; '${NAME}' is a variable; repeatable."
        ),
    ] = None
    ca_bundle: Annotated[
        Path | None,
        typer.Option(
            "--ca-bundle",
            metavar="FILE",
            help="The CA certificates (PEM) that the endpoint's certificate is checked against.",
        ),
    ] = None
    verify: Annotated[
        bool,
        typer.Option("--verify/--no-verify", help="Whether to check its certificate. Skip the check only in tests."),
    ] = True
    token_parameter: Annotated[
        Literal["max_tokens", "max_completion_tokens"] | None,
        typer.Option(
            "--token-parameter",
            metavar="NAME",
            help="Its name for the token limit: max_tokens or max_completion_tokens.",
        ),
    ] = None

    @property
    def are_given(self) -> bool:
        """Whether any of these options was given."""
        return self != type(self)()

    @property
    def headers(self) -> dict[str, str]:
        """Name of a header → its value.

        Raises:
            Misuse: a header cannot be read.
        """
        return dict(map(_header, self.header or ()))

    def access(self, environ: Mapping[str, str]) -> "EndpointAccess":
        """How the endpoint is accessed, with environment variables filled in.

        Raises:
            Misuse: a header cannot be read, the file of certificates cannot be used, or two options contradict.
        """
        from pipelex.config._interpolation import interpolate
        from pipelex.inference.local_servers import EndpointAccess

        filled = {name: interpolate(value, environ).text for name, value in self.headers.items()}
        found = EndpointAccess(filled, self.ca_bundle, self.verify)
        if self.ca_bundle is not None and not self.verify:
            raise Misuse("--no-verify contradicts --ca-bundle: the certificate is checked against it, or not at all")
        try:
            _ = found.tls
        except OSError as wrong:  # errors of `ssl` are among them
            why = wrong.strerror if isinstance(wrong, FileNotFoundError | IsADirectoryError | PermissionError) else None
            said = why or "it holds no certificates in PEM format (-----BEGIN CERTIFICATE-----)"
            raise Misuse(f"--ca-bundle {self.ca_bundle}: {said}") from None
        return found


def _header(given: str) -> tuple[str, str]:
    found = _HEADER.fullmatch(given.strip())
    if found is None:
        raise Misuse(f"--header {given}: write NAME=VALUE, such as --header 'X-Team=support'")
    return found[1], found[2].strip()

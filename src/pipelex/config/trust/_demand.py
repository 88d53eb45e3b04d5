"""A demand of a project's file: what it would read from the user or send, and the sentence that says so."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pipelex.config._interpolation import named_variables
from pipelex.errors import Fault, Json, Location, ProjectNotTrustedError

TRUST_VARIABLE: Final = "PIPELEX_TRUST_PROJECT"
"""The variable of the process's environment with which every file of the project is trusted, for workers and CI."""

SECRET_NAME: Final = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSPHRASE|CREDENTIAL", re.IGNORECASE)
"""Names of variables whose values are secrets."""

_WHOLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-[^{}]*)?\}")
"""An address that consists of one variable."""


@dataclass(frozen=True, slots=True)
class Demand:
    """A setting in a file of a project that only takes effect if the file is trusted."""

    file: Path
    shown: str
    """The file as messages name it."""
    digest: str
    """The digest of the file as it was read, so that exactly the content that was shown is trusted."""
    what: str
    """The key or the table, as shown to people."""
    line: int | None = None
    reads: tuple[str, ...] = ()
    """What is read from the user: `${NAME}`, `${secret:ID}`, or the path of a file."""
    goes_to: str | None = None
    """The address to which what is read, or what methods are given, would be sent; None if nothing is sent."""
    does: str = "is set"
    """The effect of a key that neither reads nor sends anything."""

    def __str__(self) -> str:
        """`.pipelex/inference/backends.toml:3: [mine] sends ${OPENAI_API_KEY} to https://gateway.example`."""
        place = self.shown if self.line is None else f"{self.shown}:{self.line}"
        read = " and ".join(dict.fromkeys(self.reads))
        if self.goes_to is not None:
            return f"{place}: {self.what} sends {read or 'what methods are given'} to {self.goes_to}"
        return f"{place}: {self.what} reads {read}" if read else f"{place}: {self.what} {self.does}"

    @property
    def location(self) -> Location:
        return Location(file=self.shown, line=self.line, field=self.what)


@dataclass(frozen=True)
class Withheld:
    """The data of a file without the keys that need trust."""

    data: Mapping[str, Json] = field(repr=False)
    demands: tuple[Demand, ...] = ()


def stays_here(address: str) -> bool:
    """Whether an address is on this machine."""
    from ipaddress import ip_address

    try:
        host = urlsplit(address if "://" in address else f"//{address}").hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def why_refused(address: Json) -> str | None:
    """The reason why an address in a project's file is never used, even with trust; None if it may be used.

    An address may not contain a variable, because the owner of the host would learn its value. A variable may be the
    whole address, unless its name is that of a secret.
    """
    named = named_variables(address)
    if not isinstance(address, str) or not named:
        return None
    whole = _WHOLE.fullmatch(address)
    if whole is not None and not SECRET_NAME.search(whole[1]):
        return None
    return f"holds {' and '.join(f'${{{name}}}' for name in named)}; in a project's file an address is one variable as a whole, which is not a secret, or holds none"  # fmt: skip


def not_in_force(demands: Iterable[Demand]) -> Fault | None:
    """A warning about the withheld settings; None if there are none."""
    first, *others = [*demands] or [None]
    if first is None:
        return None
    more = f" (and {len(others)} more)" if others else ""
    detail = f"{first}{more}; not in force until the project is trusted: pipelex trust"
    return Fault("runtime.misconfigured", detail, location=first.location, severity="warning")


def require_trust(demands: Sequence[Demand]) -> None:
    """Refuse to continue without the withheld settings of a project's files.

    Raises:
        ProjectNotTrustedError: something is withheld.
    """
    if not demands:
        return
    lines = [f"- {demand}" for demand in demands]
    raise ProjectNotTrustedError(
        "\n".join(
            [
                "files of this project use your variables, secrets or files, or send something to an address, and are not trusted yet:",
                *lines,
            ]
        ),
        faults=[Fault("runtime.misconfigured", str(demand), location=demand.location) for demand in demands],
        advice=f"Look at them, then: pipelex trust. For a worker or CI: pipelex --trust-project …, or {TRUST_VARIABLE}=1.",
    )

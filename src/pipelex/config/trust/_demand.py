"""One demand of a project's file: what of the user's it would read or send, and the sentence that says so."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pipelex.config._interpolation import named_variables
from pipelex.errors import Fault, Json, Location, ProjectNotTrustedError

TRUST_VARIABLE: Final = "PIPELEX_TRUST_PROJECT"
"""The variable of the process's own environment that has every file of the project trusted: for workers and CI."""

SECRET_NAME: Final = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSPHRASE|CREDENTIAL", re.IGNORECASE)
"""Names of variables whose values are secrets."""

_WHOLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-[^{}]*)?\}")
"""An address that is one variable as a whole."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Something in a file of a project that needs the file to be trusted."""

    file: Path
    shown: str
    """The file as messages name it."""
    digest: str
    """The digest of the file as it was read: what is trusted is what was shown."""
    what: str
    """The key, or the table, for people."""
    line: int | None = None
    reads: tuple[str, ...] = ()
    """The things of the user's that are read: `${NAME}`, `${secret:ID}`, or the path of a file."""
    goes_to: str | None = None
    """The address that what is read, or what methods are given, would go to; None where nothing goes anywhere."""
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
    """Whether an address is of this machine."""
    from ipaddress import ip_address

    try:
        host = urlsplit(address if "://" in address else f"//{address}").hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def why_refused(address: Json) -> str | None:
    """The reason why an address in a project's file is never used, even with trust; None where it may be used.

    An address holds no variable: what it names would be read off the wire by whoever has the host, or answers for it. A
    variable as a whole may be an address, when its name is not that of a secret.
    """
    named = named_variables(address)
    if not isinstance(address, str) or not named:
        return None
    whole = _WHOLE.fullmatch(address)
    if whole is not None and not SECRET_NAME.search(whole[1]):
        return None
    return f"holds {' and '.join(f'${{{name}}}' for name in named)}; in a project's file an address is one variable as a whole, which is not a secret, or holds none"  # fmt: skip


def not_in_force(demands: Iterable[Demand]) -> Fault | None:
    """A warning about what is withheld; None when nothing is."""
    first, *others = [*demands] or [None]
    if first is None:
        return None
    more = f" (and {len(others)} more)" if others else ""
    detail = f"{first}{more}; not in force until the project is trusted: pipelex trust"
    return Fault("runtime.misconfigured", detail, location=first.location, severity="warning")


def require_trust(demands: Sequence[Demand]) -> None:
    """Refuse to go on with less than what a project's files say.

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

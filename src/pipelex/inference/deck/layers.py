"""`backends.toml` in layers: the packaged one, the user's, the project's, merged key by key, table by table.

What needs trust in a project's file that has none is left out, so that the layers below stay in force: an address of its
choice, what would be sent there, and whatever names a variable, a secret or a file of the user. A table that says what
the packaged one says needs no trust.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from pipelex.config._interpolation import named_variables
from pipelex.config.trust import SECRET_NAME, Demand, Trust, stays_here
from pipelex.errors import Fault
from pipelex.inference.deck.files import Keys, Table, TomlFile

FREE: Final = frozenset(
    {
        "enabled",
        "display_name",
        "listed_constraints",
        "valued_constraints",
        "models",
        "sdk",
        "is_default",
        "token_parameter",
        "idempotency_header",
        "context",
        "parallel",
    }
)
"""Keys that a project may set as it likes, variables aside."""

_WHOLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-[^{}]*)?\}")
"""An address that is one variable as a whole."""


@dataclass(frozen=True)
class BackendLayers:
    """One backend's table, merged, and where its keys are written."""

    name: str
    data: Table
    sources: tuple[tuple[TomlFile, Keys], ...]
    """The files that have the table, the one that wins first."""
    is_own: bool = False
    """Whether a file of the user's or of the project's declares it, or lists models for it."""
    lacks_trust: bool = False
    """Whether it is not what its file says, for want of trust."""
    refusal: Fault | None = None
    """Why it is never called, whoever trusts it."""


@dataclass(frozen=True)
class MergedBackends:
    """All tables, and what was left out of them."""

    tables: Mapping[str, BackendLayers]
    withheld: tuple[Demand, ...] = ()


@dataclass
class _Merging:
    trust: Trust | None
    packaged: Table
    tables: dict[str, BackendLayers] = field(default_factory=dict[str, BackendLayers])
    withheld: list[Demand] = field(default_factory=list[Demand])

    def add(self, file: TomlFile, *, is_own: bool) -> None:
        for name, value in file.data.items():
            if not isinstance(value, dict):
                raise file.fault(f"{name!r} must be a table: one for each backend", (name,))
            self._add_table(file, name, cast("Table", value), is_own=is_own)

    def _add_table(self, file: TomlFile, name: str, written: Table, *, is_own: bool) -> None:
        below = self.tables.get(name)
        refusal = _refusal(file, name, written) if self._is_theirs(file) else None
        demands: list[Demand] = []
        if self.trust is not None and not self.trust.of(file.path, file.text):
            found = dict(self._demands(file, name, written))
            written = {key: value for key, value in written.items() if key not in found}
            demands = list(found.values())
            self.withheld += demands
        data = dict(below.data) if below is not None else {}
        if "endpoint" in written and written["endpoint"] != data.get("endpoint"):
            data.pop("endpoint_variables", None)  # they stand for the address that was written with them
        self.tables[name] = BackendLayers(
            name,
            {**data, **written},
            ((file, (name,)), *(below.sources if below is not None else ())),
            is_own=is_own
            and (name not in self.packaged or "models" in written or (below is not None and below.is_own)),
            lacks_trust=bool(demands) and name not in self.packaged,
            refusal=refusal or (below.refusal if below is not None and "endpoint" not in written else None),
        )

    def _is_theirs(self, file: TomlFile) -> bool:
        """Whether a file is the project's, trusted or not."""
        trust = self.trust
        return (
            trust is not None
            and trust.project is not None
            and file.path.is_relative_to(trust.project)
            and not file.path.is_relative_to(trust.home_dir)
        )

    def _demands(self, file: TomlFile, name: str, written: Table) -> Iterator[tuple[str, Demand]]:
        """The keys of a project's table that need trust."""
        below = self.tables[name].data if name in self.tables else dict[str, Any]()
        shipped = cast("Table", self.packaged.get(name, {}))
        address = written.get("endpoint", below.get("endpoint"))
        is_elsewhere = "endpoint" in written and written["endpoint"] not in (
            shipped.get("endpoint"),
            below.get("endpoint"),
        )
        for key, value in written.items():
            if value == shipped.get(key) and not (key == "api_key" and is_elsewhere):
                continue
            reads = _named(value)
            goes_to: str | None = None
            if key == "endpoint":
                reads = (*reads, *_sent(name, {**below, **written}, "api_key" not in written))
                if not reads and isinstance(value, str) and stays_here(value):
                    continue
                goes_to = str(value)
            elif key == "api_key":
                goes_to = str(address) if address else f"the provider of [{name}]"
                if not reads and stays_here(goes_to):
                    continue
                reads = reads or ("a key of its own",)
            elif key in FREE and not reads:
                continue
            yield key, _demand(file, f"[{name}] {key}", (name, key), reads, goes_to, value)


def _sent(name: str, table: Table, is_key_inherited: bool) -> tuple[str, ...]:
    """What a backend's requests carry to its address."""
    named = _named({key: value for key, value in table.items() if key not in ("endpoint", "endpoint_variables")})
    if named or not (is_key_inherited and table.get("api_key")):
        return named
    return (f"the key of [{name}]",)


def merge_backends(files: Sequence[TomlFile], packaged: TomlFile, trust: Trust | None) -> MergedBackends:
    """Merge the files.

    Args:
        files: `backends.toml` of the user and the project, the one that wins last.
        packaged: the one that comes with the package.
        trust: which files are trusted; all of them when None.

    Raises:
        ConfigurationError: something in a file is no table.
    """
    merging = _Merging(trust, packaged.data)
    merging.add(packaged, is_own=False)
    for file in files:
        merging.add(file, is_own=True)
    return MergedBackends(merging.tables, tuple(merging.withheld))


def withheld_models(file: TomlFile, trust: Trust | None) -> tuple[TomlFile, tuple[Demand, ...]]:
    """A file of models without the keys that name variables, unless it is trusted."""
    if trust is None or trust.of(file.path, file.text):
        return file, ()
    demands: list[Demand] = []
    kept: Table = {}
    for name, table in file.data.items():
        if not isinstance(table, dict):
            kept[name] = table
            continue
        keys: Table = {}
        for key, value in cast("Table", table).items():
            if reads := _named(value):
                demands.append(_demand(file, f"[{name}] {key}", (name, key), reads, None, value))
            else:
                keys[key] = value
        kept[name] = keys
    return TomlFile(file.path, file.text, kept), tuple(demands)


def _demand(file: TomlFile, what: str, keys: Keys, reads: Sequence[str], goes_to: str | None, value: Any) -> Demand:
    place = file.location(keys)
    return Demand(file.path, file.shown, what, place.line, tuple(reads), goes_to, f"is {value!r}")


def _named(value: Any) -> tuple[str, ...]:
    return tuple(f"${{{name}}}" for name in named_variables(value))


def _refusal(file: TomlFile, name: str, written: Table) -> Fault | None:
    """An address of a project's file is one variable as a whole, which is no secret, or holds none."""
    address = written.get("endpoint")
    if not isinstance(address, str) or not named_variables(address):
        return None
    whole = _WHOLE.fullmatch(address)
    if whole is not None and not SECRET_NAME.search(whole[1]):
        return None
    place = file.location((name, "endpoint"))
    detail = (
        f"{file.shown}:{place.line}: the address of [{name}] holds {' and '.join(_named(address))}; in a project's file an "
        "address is one variable as a whole, which is no secret, or holds none: the backend is not called"
    )
    return Fault("runtime.misconfigured", detail, location=place, severity="warning")


def packaged_or(paths: Sequence[Path], name: str, packaged: Path) -> Path:
    """The file of that name of the first directory that has it, else the packaged one."""
    return next((path for directory in paths if (path := directory / name).is_file()), packaged / name)

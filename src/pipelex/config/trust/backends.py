"""Merges the layers of `backends.toml`, the packaged, the user's and the project's, key by key.

Settings that need trust are left out of a project's file without it, so the lower layers stay in effect: an address
that the project chooses, what would be sent there, and everything that names a variable, a secret or a file of the
user. A table that is the same as the packaged one needs no trust.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from pipelex.config._interpolation import named_variables
from pipelex.config.toml_files import Keys, Table, TomlFile
from pipelex.config.trust._demand import Demand, stays_here, why_refused
from pipelex.config.trust._record import Trust, digest_of
from pipelex.config.trust.named_files import unseen_files
from pipelex.errors import Fault

PACKAGED: Final = Path(__file__).parents[2] / "inference" / "defaults"
"""The packaged model files, which are the lowest layer."""

BACKENDS_FILE: Final = "backends.toml"

FREE: Final = frozenset(
    {
        "enabled",
        "display_name",
        "listed_constraints",
        "valued_constraints",
        "models",
        "is_default",
        "token_parameter",
        "idempotency_header",
        "context",
        "parallel",
        "num_ctx",
    }
)
"""Keys that a project may set without trust, unless their values name variables."""

_OTHER_CLIENTS: Final[Mapping[str, frozenset[str]]] = {
    "azure_openai": frozenset({"azure_openai_responses"}),
    "bedrock": frozenset({"bedrock_aioboto3", "bedrock_anthropic", "bedrock_boto3"}),
    "groq": frozenset({"groq"}),
    "huggingface": frozenset({"huggingface"}),
    "internal": frozenset({"docling_sdk"}),
    "openai": frozenset({"openai_responses"}),
    "vertexai": frozenset({"google_img_gen"}),
    "xai": frozenset({"xai"}),
}
"""Packaged backend → clients that call only the backend's own provider, or none, although its packaged file does not name
them."""

_DATA: Final = frozenset({"model_path"})
"""Keys that name data files, which do not affect trust."""


@dataclass(frozen=True)
class BackendLayers:
    """One backend's merged table, and the files that its keys come from."""

    name: str
    data: Table
    sources: tuple[tuple[TomlFile, Keys], ...]
    """The files that have the table, the highest layer first."""
    is_own: bool = False
    """Whether a file of the user or of the project declares it, or lists models for it."""
    lacks_trust: bool = False
    """Whether some of its settings are withheld because a file is not trusted."""
    refusal: Fault | None = None
    """The reason why it is never called, even when the file is trusted."""
    ca_folder: Path | None = None
    """The folder of the file whose `ca_bundle` is in effect."""

    @property
    def is_enabled(self) -> bool:
        return self.data.get("enabled") is not False


@dataclass(frozen=True)
class MergedBackends:
    """The merged tables of all files, and the settings that were left out of them."""

    tables: Mapping[str, BackendLayers]
    """The backends by id: those of the highest layer first, the packaged ones last."""
    withheld: tuple[Demand, ...] = ()


@dataclass
class _Merging:
    trust: Trust | None
    packaged: Table
    tables: dict[str, BackendLayers] = field(default_factory=dict[str, BackendLayers])
    withheld: dict[str, tuple[Demand, ...]] = field(default_factory=dict[str, tuple[Demand, ...]])

    def add(self, file: TomlFile, *, is_own: bool) -> None:
        if any(isinstance(value, dict) and cast("Table", value).get("is_default") for value in file.data.values()):
            for layers in self.tables.values():
                layers.data.pop("is_default", None)  # the last file decides which backend is the default
        for name, value in file.data.items():
            if not isinstance(value, dict):
                raise file.fault(f"{name!r} must be a table: one for each backend", (name,))
            self._add_table(file, name, cast("Table", value), is_own=is_own)

    def _add_table(self, file: TomlFile, name: str, written: Table, *, is_own: bool) -> None:
        below = self.tables.get(name)
        refusal = _refusal(file, name, written) if self.trust is not None and self.trust.is_theirs(file.path) else None
        is_wanted = is_own and not written.keys().isdisjoint({"endpoint", "api_key"})
        demands: dict[str, Demand] = {}
        if self.trust is not None and not self.trust.of(file.path, file.text):
            demands = dict(self._demands(file, name, written))
        unseen = self._unseen(file, name, written)
        lacking = (*demands.values(), *(demand for found in unseen.values() for demand in found))
        self.withheld[name] = (*self.withheld.get(name, ()), *lacking)
        written = {
            key: value for key, value in written.items() if key not in demands and f"[{name}] {key}" not in unseen
        }
        data = dict(below.data) if below is not None else {}
        if is_wanted:
            data.pop("enabled", None)  # an address or a key enables a backend, unless `enabled` is set with it
        if "endpoint" in written and written["endpoint"] != data.get("endpoint"):
            data.pop("endpoint_variables", None)  # they belong to the address that they were written with
        self.tables[name] = BackendLayers(
            name,
            {**data, **written},
            ((file, (name,)), *(below.sources if below is not None else ())),
            is_own=is_own
            and (name not in self.packaged or "models" in written or (below is not None and below.is_own)),
            lacks_trust=bool(lacking) and name not in self.packaged,
            refusal=refusal or (below.refusal if below is not None and "endpoint" not in written else None),
            ca_folder=file.path.parent if "ca_bundle" in written else None if below is None else below.ca_folder,
        )

    def _unseen(self, file: TomlFile, name: str, written: Table) -> dict[str, tuple[Demand, ...]]:
        """The keys of a project's table that name files of the project whose content is not trusted."""
        if self.trust is None or not self.trust.is_theirs(file.path):
            return {}
        named = {f"[{name}] {key}": value for key, value in written.items() if key not in FREE and key not in _DATA}
        return unseen_files(self.trust, named, file.path.parent, Path.cwd())

    def _demands(self, file: TomlFile, name: str, written: Table) -> Iterator[tuple[str, Demand]]:
        """The keys of a project's table that need trust."""
        below = self.tables[name].data if name in self.tables else dict[str, Any]()
        table: Table = {**below, **written}
        if _what_matters(table) in (_what_matters(below), _what_matters(self.packaged.get(name, {}))):
            return  # it is the same as the user's or the packaged table
        inherited = {key: value for key, value in below.items() if key not in written and key not in FREE}
        for key, value in written.items():
            if value == below.get(key) or (key in FREE and not _named(value) and not _leads_elsewhere(key, below)):
                continue
            reads, goes_to = _named(value), None
            if key == "sdk" and not below and not reads:
                continue  # a new backend, whose key and address need trust themselves
            if key == "endpoint":
                reads = (*reads, *_named({**table, "endpoint": ""}), *_of_the_users(name, inherited))
                goes_to = str(value)
            elif key == "api_key":
                goes_to = str(table.get("endpoint") or f"the provider of [{name}]")
            elif key in ("sdk", "models"):
                reads = (*reads, *_named(below), *_of_the_users(name, below))
                goes_to = f"the provider of {table.get('sdk', 'openai')!r}"
            if goes_to is not None and not reads and stays_here(goes_to):
                continue
            if key == "api_key":
                reads = reads or ("a key of its own",)
            yield key, _demand(file, f"[{name}] {key}", (name, key), reads, goes_to, value)


def _leads_elsewhere(key: str, below: Table) -> bool:
    """Whether a key may send the backend's secrets to another client's address, as the backend itself has none."""
    return key == "models" and bool(below) and not below.get("endpoint") and below.get("sdk") is None


def _what_matters(table: Table) -> Table:
    """The keys of a table that decide where requests go and what they contain."""
    unset: Table = {key: value for key, value in table.items() if key in FREE and _named(value)}
    elsewhere: Table = {key: value for key, value in table.items() if _leads_elsewhere(key, table)}
    return {**unset, **elsewhere, **{key: value for key, value in table.items() if key not in FREE}}


def _of_the_users(name: str, inherited: Table) -> Iterator[str]:
    """The literal secrets in the user's own table that requests would contain."""
    for key, what in (("api_key", "key"), ("headers", "headers")):
        if inherited.get(key) and not _named(inherited[key]):
            yield f"the {what} of [{name}]"


def merge_backends(files: Sequence[TomlFile], packaged: TomlFile, trust: Trust | None) -> MergedBackends:
    """Merge the layers of `backends.toml`.

    Args:
        files: `backends.toml` of the user and of the project, the highest layer last.
        packaged: the file that comes with the package.
        trust: the record of trusted files; everything is trusted when None.

    Raises:
        ConfigurationError: something in a file is not a table.
    """
    merging = _Merging(trust, packaged.data)
    merging.add(packaged, is_own=False)
    for file in files:
        merging.add(file, is_own=True)
    names = dict.fromkeys(name for file in reversed(files) for name in file.data)
    tables = {name: merging.tables[name] for name in [*names, *merging.tables]}
    asked = (demands for name, demands in merging.withheld.items() if merging.tables[name].is_enabled)
    return MergedBackends(tables, tuple(demand for demands in asked for demand in demands))


def withheld_models(file: TomlFile, trust: Trust | None, layers: BackendLayers) -> tuple[TomlFile, tuple[Demand, ...]]:
    """A file of models without the keys that name variables or other clients, unless the file is trusted.

    Args:
        file: the file.
        trust: the record of trusted files; everything is trusted when None.
        layers: the backend's table.
    """
    if trust is None or trust.of(file.path, file.text):
        return file, ()
    elsewhere = _led_elsewhere(file, layers)
    carried = (*_named(layers.data), *_of_the_users(layers.name, layers.data))
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
                continue
            if key == "sdk" and name in elsewhere:
                goes_to = f"the provider of {value!r}"
                demands.append(_demand(file, f"[{name}] {key}", (name, key), carried, goes_to, value))
            keys[key] = value
        if name not in elsewhere:
            kept[name] = keys
    return TomlFile(file.path, file.text, kept), tuple(demands)


def _led_elsewhere(file: TomlFile, layers: BackendLayers) -> frozenset[str]:
    """The tables of a file of models that name or inherit a client for which the file needs trust."""
    clients = _clients_of(layers)
    tables = {name: cast("Table", table) for name, table in file.data.items() if isinstance(table, dict)}
    usual = tables.get("defaults", {}).get("sdk")
    if clients is None:
        return frozenset()
    return frozenset(name for name, table in tables.items() if table.get("sdk", usual) not in (None, *clients))


def _clients_of(layers: BackendLayers) -> frozenset[str] | None:
    """The clients that models of a backend may name without trust; None if they may name any.

    Another client would send the backend's key to the address of its own provider.
    """
    packaged = PACKAGED / "backends" / f"{layers.name}.toml"
    if layers.data.get("api_key") is None and not packaged.is_file():
        return None
    found = (
        {str(layers.data.get("sdk") or "openai")}
        if layers.data.get("sdk") or layers.data.get("endpoint")
        else set[str]()
    )
    if packaged.is_file():
        tables = TomlFile.read(packaged).data.values()
        found |= {str(cast("Table", table)["sdk"]) for table in tables if isinstance(table, dict) and "sdk" in table}
        found |= _OTHER_CLIENTS.get(layers.name, frozenset())
    return frozenset(found)


def withheld_of_project(config_dirs: Iterable[Path], trust: Trust) -> tuple[Demand, ...]:
    """Everything that a project's model files would set if they were trusted. Reads only these and the lower layers.

    Args:
        config_dirs: the configuration folders, the highest layer first.
        trust: the record of trusted files.

    Raises:
        ConfigurationError: a file cannot be read, is not TOML, or is not made of tables.
    """
    folders = [folder / "inference" for folder in config_dirs]
    if not any(trust.is_theirs(folder) and folder.is_dir() for folder in folders) or trust.is_everything_trusted:
        return ()
    read = [TomlFile.read(path) for folder in reversed(folders) if (path := folder / BACKENDS_FILE).is_file()]
    merged = merge_backends(read, TomlFile.read(PACKAGED / BACKENDS_FILE), trust)
    found = [*merged.withheld]
    for layers in merged.tables.values():
        path = first_file(folders, f"backends/{layers.name}.toml")
        if layers.is_enabled and path is not None and trust.is_theirs(path):
            found += withheld_models(TomlFile.read(path), trust, layers)[1]
    return tuple(found)


def first_file(folders: Iterable[Path], name: str) -> Path | None:
    """The file in the first folder that has one of that name."""
    return next((path for folder in folders if (path := folder / name).is_file()), None)


def _demand(file: TomlFile, what: str, keys: Keys, reads: Sequence[str], goes_to: str | None, value: Any) -> Demand:
    place = file.location(keys)
    return Demand(file.path, file.shown, digest_of(file.text), what, place.line, tuple(reads), goes_to, f"is {value!r}")


def _named(value: Any) -> tuple[str, ...]:
    return tuple(f"${{{name}}}" for name in named_variables(value))


def _refusal(file: TomlFile, name: str, written: Table) -> Fault | None:
    why = why_refused(written.get("endpoint"))
    if why is None:
        return None
    place = file.location((name, "endpoint"))
    detail = f"{file.shown}:{place.line}: the address of [{name}] {why}: the backend is not called"
    return Fault("runtime.misconfigured", detail, location=place, severity="warning")

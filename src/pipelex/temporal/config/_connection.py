"""The connection to the cluster: the selected server profile, which Temporal's own conventions may override.

`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY` and `TEMPORAL_TLS_*` override everything else. A
`temporal.toml` overrides the profile if `TEMPORAL_PROFILE` or `TEMPORAL_CONFIG_FILE` asks for it.

The user's default `temporal.toml` is also there for other tools. Without such a variable, it is used only with the
packaged profile `local`, and only if none of that profile's keys is set. Otherwise, the address of one could be mixed
with the namespace of the other, and so reach a cluster that nobody meant.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from pipelex.config import Settings
from pipelex.config.distribution import install_command
from pipelex.config.files.plain import read_plain
from pipelex.config.secrets import secret_provider
from pipelex.errors import ConfigurationError, Location, TemporalConfigError, near_names
from pipelex.errors.hidden import hide
from pipelex.temporal.config._models import ServerProfile, TemporalConfig, TLSProfile
from pipelex.temporal.config._ui import known_ui

if TYPE_CHECKING:
    from temporalio.envconfig import ClientConfigProfile, ClientConfigTLS

_SERVERS = ("temporal", "temporal_config", "temporal_server_configs")
_CONNECTION_KEYS = ("target_host", "namespace", "api_key_method", "api_key_id", "tls")


@dataclass(frozen=True, slots=True)
class TLSSettings:
    """The TLS settings of a connection. Certificates and keys are the contents of PEM files."""

    server_name: str | None = None
    server_root_ca_cert: bytes | None = field(default=None, repr=False)
    client_cert: bytes | None = field(default=None, repr=False)
    client_private_key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ConnectionSettings:
    """The settings that a client connects with."""

    server: str
    """The name of the server profile."""
    target_host: str
    namespace: str
    api_key: SecretStr | None
    tls: TLSSettings | None
    """The TLS settings; None for no TLS."""
    rpc_metadata: Mapping[str, str]
    sources: Mapping[str, str]
    """`target_host`, `namespace`, `api_key` and `tls` → the file or variable that each comes from, for people."""
    ui_url: str | None = None
    """The address of the server's web UI; None if it is not known."""

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine."""
        host = self.target_host.rpartition(":")[0].strip("[]")
        return host == "localhost" or host == "::1" or host.startswith("127.")


def connection(
    config: TemporalConfig, settings: Settings, environ: Mapping[str, str] | None = None, *, server: str | None = None
) -> ConnectionSettings:
    """The settings of the connection to the cluster.

    Args:
        config: the configuration read from `settings`.
        settings: the settings, which have the places of keys, the base of relative paths, and the secrets.
        environ: the environment variables; those of the settings when None.
        server: the name of the profile to use; the selected one when None.

    Raises:
        TemporalConfigError: there is no such profile; a variable, a secret or a file that it names is missing; the
            `temporal.toml` cannot be read; or an API key would be sent without TLS.
        ConfigurationError: there are `TEMPORAL_*` variables or a `temporal.toml`, but the Temporal SDK is missing.
    """
    known = settings.environ if environ is None else environ
    name = config.temporal_config.selected_server if server is None else server
    profile = config.temporal_config.temporal_server_configs.get(name)
    if profile is None:
        near = near_names(name, config.temporal_config.temporal_server_configs)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "no profile has a similar name"
        raise TemporalConfigError(
            f"no Temporal server profile is called {name!r}; {hint}",
            advice=f"Name another profile, or add [temporal.temporal_config.temporal_server_configs.{name}].",
        )
    building = _Building(name, profile, settings, known)
    _apply_envconfig(building, known)
    return building.finish()


class _Building:
    def __init__(self, name: str, profile: ServerProfile, settings: Settings, environ: Mapping[str, str]) -> None:
        self.name = name
        self._profile = profile
        self._settings = settings
        self._environ = environ
        self.values: dict[str, Any] = {"target_host": profile.target_host, "namespace": profile.namespace}
        self.sources = {key: self._source(key) for key in ("target_host", "namespace")}
        self.rpc_metadata: dict[str, str] = {}

    def _key(self, key: str) -> tuple[str, ...]:
        return (*_SERVERS, self.name, key)

    def _source(self, key: str) -> str:
        return str(self._settings.origin(self._key(key)))

    @property
    def is_untouched(self) -> bool:
        """Whether the profile is the packaged `local`, and none of its connection keys is set."""
        return self.name == "local" and not any(self._settings.is_set(self._key(key)) for key in _CONNECTION_KEYS)

    def overlay(self, profile: "ClientConfigProfile", source: str) -> None:
        """Override the values that a profile in Temporal's own format sets."""
        found = {
            "target_host": profile.address,
            "namespace": profile.namespace,
            "api_key": SecretStr(profile.api_key) if profile.api_key else None,
            "tls": profile.tls,
        }
        for key, value in found.items():
            if value is not None:
                self.values[key] = value
                self.sources[key] = source
        self.rpc_metadata.update(profile.grpc_meta)

    def finish(self) -> ConnectionSettings:
        for key in ("target_host", "namespace"):
            if "${" in self.values[key]:
                raise self._error(key, f"a variable in {self.values[key]!r} is not set")
        api_key = self.values.get("api_key")
        if api_key is None:
            api_key = self._own_api_key()
        if "tls" in self.values:
            tls = self._envconfig_tls(self.values["tls"])
        else:
            tls = self._own_tls(has_key=api_key is not None)
        if api_key is not None:
            hide([api_key.get_secret_value()])
        if api_key is not None and tls is None:
            raise self._error("tls", "an API key is never sent without TLS; do not turn it off, or remove the key")
        return ConnectionSettings(
            server=self.name,
            target_host=self.values["target_host"],
            namespace=self.values["namespace"],
            api_key=api_key,
            tls=tls,
            rpc_metadata=self.rpc_metadata,
            sources=self.sources,
            ui_url=self._ui_url(),
        )

    def _ui_url(self) -> str | None:
        """The profile's `ui_url`; if it has none, or the server is not the profile's, the UI that `known_ui` finds."""
        written = self._profile.ui_url
        if written is None or self.values["target_host"] != self._profile.target_host:
            return known_ui(self._settings, self.values["target_host"])
        if "${" in written:
            raise self._error("ui_url", f"a variable in {written!r} is not set")
        return written.rstrip("/")

    def _own_api_key(self) -> SecretStr | None:
        profile = self._profile
        self.sources["api_key"] = self._source("api_key_method")
        if profile.api_key_method == "none":
            return None
        secret_id = profile.api_key_id
        if "${" in secret_id:
            raise self._error("api_key_id", f"a variable in {secret_id!r} is not set")
        if profile.api_key_method == "env":
            found = self._environ.get(secret_id)
            where = f"the environment variable {secret_id}"
        else:
            provider = secret_provider(self._settings, self._environ)
            found, where = provider.get(secret_id), provider.describe(secret_id)
        if not found:
            raise self._error("api_key_id", f"the API key is missing; set {where}")
        return SecretStr(found)

    def _own_tls(self, *, has_key: bool) -> TLSSettings | None:
        table: TLSProfile | None = self._profile.tls
        self.sources["tls"] = self._source("tls")
        if table is None:
            if has_key:
                self.sources["tls"] = "on because an API key is used"
            return TLSSettings() if has_key else None
        if not table.enabled:
            return None
        return TLSSettings(
            server_name=table.server_name,
            server_root_ca_cert=self._read("server_root_ca_cert", table.server_root_ca_cert),
            client_cert=self._read("client_cert", table.client_cert),
            client_private_key=self._read("client_private_key", table.client_private_key),
        )

    def _read(self, key: str, written: str | None) -> bytes | None:
        if written is None:
            return None
        if "${" in written:
            raise self._error(f"tls.{key}", f"a variable in {written!r} is not set")
        path = Path(written).expanduser()
        try:
            return read_plain(self._start_of(key) / path)
        except OSError as error:
            raise self._error(f"tls.{key}", f"{written} cannot be read: {error.strerror or error}") from None

    def _start_of(self, key: str) -> Path:
        """The folder to which a TLS file is relative: of the user's own settings if they name it, or of the project."""
        layer = self._settings.layer_of((*_SERVERS, self.name, "tls", key))
        return (
            layer.file.parent if layer is not None and layer.kind == "user" and layer.file else self._settings.base_dir
        )

    def _envconfig_tls(self, tls: "ClientConfigTLS") -> TLSSettings | None:
        if tls.disabled:
            return None
        return TLSSettings(
            server_name=tls.server_name,
            server_root_ca_cert=self._read_source(tls.server_root_ca_cert),
            client_cert=self._read_source(tls.client_cert),
            client_private_key=self._read_source(tls.client_private_key),
        )

    def _read_source(self, source: Path | str | bytes | None) -> bytes | None:
        if isinstance(source, Path):
            try:
                return source.read_bytes()
            except OSError as error:
                raise TemporalConfigError(
                    f"{source}, named by {self.sources['tls']}, cannot be read: {error.strerror}",
                    location=Location(file=str(source)),
                ) from None
        return source.encode() if isinstance(source, str) else source

    def _error(self, key: str, message: str) -> TemporalConfigError:
        fault = self._settings.fault((*_SERVERS, self.name, *key.split(".")), message, of_value=True)
        place = fault.location
        shown = f"{place.file}:{place.line}: {fault.detail}" if place.file and place.line else fault.detail
        return TemporalConfigError(shown, faults=[fault])


_ENV_PREFIXES = ("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_API_KEY", "TEMPORAL_TLS", "TEMPORAL_GRPC_META")


def _apply_envconfig(building: _Building, environ: Mapping[str, str]) -> None:
    variables = {key: value for key, value in environ.items() if key.startswith(_ENV_PREFIXES) and value}
    profile_name, named_file = environ.get("TEMPORAL_PROFILE"), environ.get("TEMPORAL_CONFIG_FILE")
    file = Path(named_file) if named_file else _usual_file(environ)
    is_asked_for = bool(profile_name or named_file)
    is_file_used = is_asked_for or (building.is_untouched and file is not None and file.is_file())
    if not variables and not is_file_used:
        return
    try:
        from temporalio.envconfig import ClientConfigProfile
    except ImportError as error:
        raise ConfigurationError(
            "TEMPORAL_* variables or a temporal.toml are there, but the Temporal SDK is not",
            advice=f"Install it: {install_command('temporal')}",
        ) from error

    if is_file_used:
        source = f"{file} (profile {profile_name or 'default'})"
        if file is None or not file.is_file():
            asked = "TEMPORAL_CONFIG_FILE" if named_file else "TEMPORAL_PROFILE"
            raise TemporalConfigError(
                f"{asked} is set, but there is no file {file}", advice=f"Make the file, or unset {asked}."
            )
        try:
            # Without a name, this returns an empty profile if the file has no profile `default`.
            found = ClientConfigProfile.load(profile_name, config_source=file, disable_env=True)
        except (RuntimeError, ValueError, OSError) as error:
            raise TemporalConfigError(f"{source}: {error}", location=Location(file=str(file))) from error
        building.overlay(found, source)
    if variables:
        try:
            found = ClientConfigProfile.load(disable_file=True, override_env_vars=variables)
        except (RuntimeError, ValueError, OSError) as error:
            raise TemporalConfigError(f"{', '.join(sorted(variables))}: {error}") from error
        building.overlay(found, "environment")
        for key, prefix in _VARIABLES.items():
            if building.sources.get(key) == "environment":
                named = ", ".join(sorted(name for name in variables if name.startswith(prefix)))
                building.sources[key] = f"environment variable {named}"


_VARIABLES = {
    "target_host": "TEMPORAL_ADDRESS",
    "namespace": "TEMPORAL_NAMESPACE",
    "api_key": "TEMPORAL_API_KEY",
    "tls": "TEMPORAL_TLS",
}


def _usual_file(environ: Mapping[str, str]) -> Path | None:
    """The path at which the SDKs and the `temporal` command look for the user's `temporal.toml`; None if not known."""
    home = environ.get("HOME")
    if sys.platform == "darwin":
        folder = Path(home) / "Library/Application Support" if home else None
    elif sys.platform == "win32":
        folder = Path(environ["APPDATA"]) if environ.get("APPDATA") else None
    else:
        configured = environ.get("XDG_CONFIG_HOME")
        folder = Path(configured) if configured else Path(home) / ".config" if home else None
    return None if folder is None else folder / "temporalio" / "temporal.toml"

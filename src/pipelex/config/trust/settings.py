"""The keys of a project's `pipelex.toml` and `.env` that need trust."""

import json
import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import Final, cast

from pipelex.config._interpolation import named_variables
from pipelex.config._keys import Path, dotted, leaves, lookup, merge, nested
from pipelex.config._settings import Layer
from pipelex.config.trust._demand import SECRET_NAME, Demand, Withheld, stays_here, why_refused
from pipelex.config.trust._record import Trust, digest_of
from pipelex.config.trust.named_files import unseen_files
from pipelex.errors import Fault, Json, Location

FREE: Final = (
    "run.*",
    "runtime.storage.uri_format",
    "runtime.log.*",
    "runtime.reporting.*",
    "runtime.telemetry.is_enabled",
    "runtime.telemetry.service_name",
    "inference.*",
    "interpreter.pipeline_execution.*",
    "interpreter.functions.timeout_seconds",
    "interpreter.method_tree_limits.*",
    "interpreter.scan.*",
    "temporal.is_enabled",
    "temporal.temporal_config.selected_server",
    "temporal.temporal_config.temporal_server_configs.*.description",
    "temporal.temporal_config.temporal_server_configs.*.namespace",
    "temporal.temporal_config.temporal_log_config.*",
    "temporal.worker_config.*",
    "temporal.activity_queues.*",
    "temporal.queue_options.*",
    "temporal.worker_scopes.*",
    "temporal.worker_runtime_profiles.*",
    "temporal.search_attributes.*",
    "temporal.payload_codec_config.is_enabled",
    "temporal.payload_codec_config.size_threshold",
    "temporal.payload_codec_config.max_payload_bytes",
    "temporal.payload_codec_config.storage_prefix",
    "temporal.payload_codec_config.compression",
    "mistral_workflows.is_enabled",
    "mistral_workflows.deployment_name",
    "mistral_workflows.build_id",
    "mistral_workflows.execution_timeout",
    "mistral_workflows.child_workflow_policy",
    "mistral_workflows.size_threshold",
    "mistral_workflows.max_payload_bytes",
    "mistral_workflows.poll_interval",
    "mistral_workflows.exposed.*",
    "mistral_workflows.worker_config.*",
    "mistral_workflows.activities.*",
    "mistral_workflows.rate_limits.*",
)
"""Keys that a project may set without trust, unless their values name variables."""

_SERVER: Final = "temporal.temporal_config.temporal_server_configs.*"
_PAYLOADS: Final = "temporal.payload_codec_config.storage_provider_config"


def _leaves_here(value: Json) -> bool:
    return isinstance(value, str) and (not value or stays_here(value))


def _is_inside(value: Json) -> bool:
    """Whether a folder's path stays below the project's root."""
    if not isinstance(value, str) or value.startswith("~"):
        return False
    path = FilePath(value)
    return not path.is_absolute() and ".." not in path.parts


HARMLESS: Final[Mapping[str, Callable[[Json], bool]]] = {
    "runtime.storage.method": lambda value: value in ("local", "in_memory"),
    "runtime.storage.local.path": _is_inside,
    "runtime.network.is_fetch_ssrf_guard_enabled": lambda value: value is True,
    "interpreter.functions.is_enabled": lambda value: value is False,
    "runtime.run_records.is_enabled": lambda value: value is False,
    "runtime.telemetry.endpoint": _leaves_here,
    "runtime.metrics.prometheus_address": _leaves_here,
    "runtime.metrics.otlp_endpoint": _leaves_here,
    "runtime.telemetry.capture_content": lambda value: value is False,
    f"{_SERVER}.target_host": _leaves_here,
    f"{_SERVER}.ui_url": _leaves_here,
    f"{_SERVER}.api_key_method": lambda value: value == "none",
    f"{_SERVER}.tls.enabled": lambda value: value is True,
    f"{_PAYLOADS}.method": lambda value: value == "local",
    f"{_PAYLOADS}.local.path": _is_inside,
}
"""Keys that a project may set to some values without trust → whether a value is one of these."""

_ADDRESSES: Final = (
    "runtime.storage.*.endpoint",
    "runtime.telemetry.endpoint",
    "runtime.metrics.*",
    f"{_SERVER}.target_host",
    f"{_SERVER}.ui_url",
    f"{_PAYLOADS}.*.endpoint",
    "mistral_workflows.server_url",
)
_NAMES: Final = (f"{_SERVER}.api_key_id", "temporal.payload_codec_config.encryption.key_env", "temporal.payload_codec_config.encryption.decrypt_keys.*", "mistral_workflows.api_key_id")  # fmt: skip
"""Keys that name a variable or a secret without `${…}`."""
_FILES: Final = (f"{_SERVER}.tls.*",)

_WITHOUT_EFFECT: Final = ("cogt", "pipelex")
"""Tables of other releases, which are never read."""


_OF_DOTENV: Final = frozenset({"PIPELEX_ENV"})
"""Variables that the `.env` of a project may set without trust: only the choice of its overlay, which needs trust
itself.

Keys of providers always need trust: with somebody else's key, the user's prompts would go to somebody else's account,
or to a provider for which the user has no key.
"""

_MATTERS: Final = re.compile(
    r"(PIPELEX|TEMPORAL|OTEL|AWS|AZURE|GOOGLE|GEMINI|GCP|OPENAI|ANTHROPIC|MISTRAL|XAI|GROQ|OPENROUTER|OLLAMA|HF|"
    r"HUGGINGFACE|LINKUP|TAVILY|TYPESAFE|FAL)_.*|HTTPS?_PROXY|ALL_PROXY"
)
"""Variables that affect where something is sent, or how this package works; other variables of a `.env` belong to other
programs."""


def withheld_variables(
    file: FilePath,
    shown: str,
    text: str,
    written: Mapping[str, str],
    named: Container[str],
    used: Container[str] = (),
    known: Mapping[str, str] = MappingProxyType({}),
) -> tuple[dict[str, str], tuple[Demand, ...]]:
    """The variables that an untrusted `.env` may set, and the demands for those that it would set with trust.

    Args:
        file: the file.
        shown: the file as messages name it.
        text: its text.
        written: its variables, without interpolation.
        named: the variables that the user's settings name.
        used: the variables that files of the project name; these files need trust themselves to read them.
        known: the variables that override the file's; values that are the same need no trust.
    """
    kept = {
        name: value
        for name, value in written.items()
        if name in _OF_DOTENV and name not in named and not named_variables(value)
    }
    demands = [
        _variable(file, shown, text, name, value)
        for name, value in written.items()
        if name not in kept and name not in known and (name in named or name in used or _MATTERS.fullmatch(name))
    ]
    return kept, tuple(demands)


def _variable(file: FilePath, shown: str, text: str, name: str, value: str) -> Demand:
    found = re.search(rf"^[ \t]*(?:export[ \t]+)?{re.escape(name)}[ \t]*=", text, re.MULTILINE)
    line = None if found is None else text.count("\n", 0, found.start()) + 1
    reads = tuple(f"${{{other}}}" for other in named_variables(value))
    goes_to = value if "://" in value or name.endswith("_HOST") else None
    does = "has calls go to the account of its key" if SECRET_NAME.search(name) else "is set"
    return Demand(file, shown, digest_of(text), name, line, reads, goes_to, does)


def withheld_settings(layer: Layer, below: Mapping[str, Json], known_tables: Sequence[str]) -> Withheld:
    """The layer of an untrusted file of a project without the settings that need trust.

    Args:
        layer: the layer.
        below: the merged lower layers; values that are the same as theirs need no trust.
        known_tables: the root tables that this package knows. All of any other table needs trust, because it is not
            known what reads it.
    """
    demands: list[Demand] = []
    kept: dict[str, Json] = {}
    for path, value in leaves(layer.data):
        is_free = lookup(below, path) == (True, value)
        demand = None if is_free else _demand(layer, path, value, known_tables)
        if demand is None:
            kept = merge(kept, nested(path, value))
        else:
            demands.append(demand)
    return Withheld(kept, tuple(demands))


def without_unseen(layer: Layer, trust: Trust, base_dir: FilePath) -> Withheld:
    """A layer of a project without the keys that name a file of the project whose content is not trusted.

    Args:
        layer: the layer, without the settings for which its own file needs trust.
        trust: the record of trusted files.
        base_dir: the folder that relative paths start from.
    """
    file = cast("FilePath", layer.file)
    if not trust.is_theirs(file):
        return Withheld(layer.data)
    named = {dotted(path): value for path, value in leaves(layer.data) if not _matches(".".join(path), FREE)}
    unseen = unseen_files(trust, named, base_dir, file.parent)
    kept: dict[str, Json] = {}
    for path, value in leaves(layer.data):
        if dotted(path) not in unseen:
            kept = merge(kept, nested(path, value))
    return Withheld(kept if unseen else layer.data, tuple(one for demands in unseen.values() for one in demands))


def without_refused(layer: Layer) -> tuple[Layer, list[Fault]]:
    """A layer of a project without the addresses that are never used, even with trust, and a warning about each."""
    refused = {
        path: why
        for path, value in leaves(layer.data)
        if _matches(".".join(path), _ADDRESSES) and (why := why_refused(value))
    }
    if not refused:
        return layer, []
    data: dict[str, Json] = {}
    for path, value in leaves(layer.data):
        if path not in refused:
            data = merge(data, nested(path, value))
    faults = [
        Fault(
            "runtime.misconfigured",
            f"{dotted(path)} {why}: it has no effect",
            location=Location(file=layer.shown, line=_line(layer, path), field=dotted(path)),
            severity="warning",
        )
        for path, why in refused.items()
    ]
    return replace(layer, data=data), faults


def _line(layer: Layer, path: Path) -> int | None:
    span = layer.positions.key(path)
    return span[0] if span else None


def _demand(layer: Layer, path: Path, value: Json, known_tables: Sequence[str]) -> Demand | None:
    reads = tuple(f"${{{name}}}" for name in named_variables(value))
    if not reads and _is_free(path, value, known_tables):
        return None
    key = ".".join(path)
    goes_to: str | None = None
    if _matches(key, _ADDRESSES) and isinstance(value, str):
        goes_to = value
    elif _matches(key, _NAMES):
        reads = (*reads, *(f"${{{text}}}" for text in _texts(value) if text))
    elif _matches(key, _FILES):
        reads = (*reads, *_texts(value))
    elif key == "interpreter.functions.environment":
        reads = (*reads, *(f"${{{text}}}" for text in _texts(value)))
    file = cast("FilePath", layer.file)
    does = f"is {_shown(value)}"
    return Demand(
        file, layer.shown or "", digest_of(layer.text), dotted(path), _line(layer, path), reads, goes_to, does
    )


def _shown(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:59] + "…"


def _is_free(path: Path, value: Json, known_tables: Sequence[str]) -> bool:
    if path[0] in _WITHOUT_EFFECT or value in ("", [], {}):
        return True
    if path[0] not in known_tables:
        return False
    key = ".".join(path)
    if _matches(key, FREE):
        return True
    allowed = next((rule for pattern, rule in HARMLESS.items() if fnmatchcase(key, pattern)), None)
    return allowed is not None and allowed(value)


def _matches(key: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(key, pattern) for pattern in patterns)


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)

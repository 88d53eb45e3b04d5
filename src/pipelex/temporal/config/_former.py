"""Rewrites the keys of earlier releases in `[temporal]` to the present ones, with a warning for each."""

from collections.abc import Callable
from typing import Final, cast

from pipelex.config import Settings, dotted
from pipelex.config._keys import Path
from pipelex.errors import Fault, Json
from pipelex.temporal.config._models import MOST_INLINE

Table = dict[str, Json]

_CODEC: Final = ("temporal", "payload_codec_config")
_PROVIDER: Final = (*_CODEC, "storage_provider_config")
_STORE_KEYS: Final = {"local_storage_path": "path", "bucket_name": "bucket"}
_STORE_KEYS_WITHOUT_EFFECT: Final = {
    "uri_format": "payloads are named by their content, below storage_prefix",
    "project_id": "a bucket is found by its name alone",
    "signed_urls_lifespan_seconds": "payloads have no addresses to hand out",
}


class FormerKeys:
    """One pass over the table, which is changed in place.

    Args:
        settings: the settings, which have the places of keys.
        table: the `[temporal]` table.
    """

    def __init__(self, settings: Settings, table: Table) -> None:
        self._settings = settings
        self._table = table
        self.moved: dict[Path, Path] = {}
        """Present path of a value → its path in the file."""
        self.errors: list[Fault] = []
        self.warnings: list[Fault] = []

    def rewrite(self) -> None:
        """Rewrite every key of an earlier release."""
        worker = _table_at(self._table, "worker_config")
        if "task_queue" in worker:
            self._move(worker, ("temporal", "worker_config", "task_queue"), ("temporal", "worker_config", "default_task_queue"))  # fmt: skip
        if "activity_queues" in worker:
            self._move(worker, ("temporal", "worker_config", "activity_queues"), ("temporal", "activity_queues"))
        codec = _table_at(self._table, "payload_codec_config")
        self._cap_threshold(codec)
        if isinstance(codec.get("storage_prefix"), str):
            codec["storage_prefix"] = cast("str", codec["storage_prefix"]).rstrip("/")
        self._rewrite_stores(_table_at(codec, "storage_provider_config"))

    def _cap_threshold(self, codec: Table) -> None:
        size = _whole(codec.get("size_threshold"))
        if size is None or size <= MOST_INLINE:
            return
        codec["size_threshold"] = MOST_INLINE
        message = f"{size} is more than the server accepts for a payload; {MOST_INLINE} is used"
        self._warn((*_CODEC, "size_threshold"), message, of_value=True)

    def _rewrite_stores(self, provider: Table) -> None:
        for name in ("local", "s3", "gcs", "azure"):
            store = _table_at(provider, name)
            is_chosen = provider.get("method", "local") == name
            warn: Callable[[Path, str], None] = self._warn if is_chosen else _say_nothing
            for old, new in _STORE_KEYS.items():
                if old in store:
                    self._rename(store, (*_PROVIDER, name, old), new, warn)
            for key, why in _STORE_KEYS_WITHOUT_EFFECT.items():
                if store.pop(key, None) is not None:
                    warn((*_PROVIDER, name, key), f"is a key of earlier releases without effect here: {why}")

    def _rename(self, store: Table, old: Path, new: str, warn: Callable[[Path, str], None]) -> None:
        value = store.pop(old[-1])
        store.setdefault(new, value)
        self.moved[(*old[:-1], new)] = old
        warn(old, f"is deprecated; use {dotted((*old[:-1], new))}")

    def _move(self, owner: Table, old: Path, new: Path) -> None:
        value = owner.pop(old[-1])
        if self._settings.is_set(new) and self._settings.get(new) != {}:
            message = f"is the former name of {dotted(new)}, which is also set; keep one of them"
            self.errors.append(self._settings.fault(old, message))
            return
        target = self._table
        for segment in new[1:-1]:
            target = cast("Table", target.setdefault(segment, {}))
        target[new[-1]] = value
        self.moved[new] = old
        message = f"is deprecated; use {dotted(new)}"
        self.warnings.append(self._settings.fault(old, message, severity="warning", suggestions=(dotted(new),)))

    def _warn(self, path: Path, message: str, *, of_value: bool = False) -> None:
        self.warnings.append(self._settings.fault(path, message, severity="warning", of_value=of_value))


def _say_nothing(path: Path, message: str) -> None:
    del path, message


def _table_at(owner: Table, key: str) -> Table:
    found = owner.get(key)
    return found if isinstance(found, dict) else {}


def _whole(value: Json) -> int | None:
    if isinstance(value, str) and value.strip().isdigit():  # a variable's value
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None

"""Keys of other releases that have no effect here, with advice on what to do instead."""

from collections.abc import Mapping
from typing import Final

from pipelex.config._keys import Path

_INSTEAD: Final[Mapping[Path, str]] = {
    ("cogt",): "this table of older releases is not read; its settings live under [inference] now",
    ("pipelex",): "this table of older releases is not read; its settings live under [interpreter] and [runtime] now",
    ("runtime", "tracing"): (
        "traces are not written to files; spans of runs and calls go to a collector: see [runtime.telemetry]"
    ),
    ("interpreter", "methods", "fetch_on_miss"): (
        "packages are not fetched; one that is called by its address is looked for beside the method and in the "
        "folders of --library-dir"
    ),
}


def why_without_effect(path: Path) -> str | None:
    """The reason why an unknown key, or its table, has no effect; None if no reason is known."""
    for known, why in _INSTEAD.items():
        shared = min(len(known), len(path))
        if known[:shared] == path[:shared]:
            return why
    return None

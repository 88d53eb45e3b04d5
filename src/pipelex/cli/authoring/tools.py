"""The formatter and linter of `pipelex-tools-py`, imported only when one of them runs."""

from typing import TYPE_CHECKING, Any, cast

from pipelex.config.distribution import install_command
from pipelex.errors import ConfigurationError, Json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def tools() -> Any:
    """The module with `format_mthds` and `lint_mthds`.

    Raises:
        ConfigurationError: the package is not installed.
    """
    try:
        import pipelex_tools
    except ImportError:
        raise ConfigurationError(
            "the formatter and the linter are not installed", advice=f"Install them with: {install_command('tools')}"
        ) from None
    return cast("Any", pipelex_tools)


def bundle_files(paths: "Sequence[Path]") -> "Iterator[Path]":
    """The bundle files that the paths name: each file itself, and for a folder the bundles of its method tree.

    Raises:
        PipelexError: a path does not exist (`method.not_found`), or a folder is too large (`method.package_invalid`).
    """
    from pipelex.library import check_is_bundle, missing_target

    for path in paths:
        if path.is_file():
            if path.suffix != ".toml":  # any TOML file may be formatted, such as a manifest
                check_is_bundle(path)
            yield path
        elif path.is_dir():
            yield from _bundles_of(path)
        else:
            raise missing_target(path)


def bundle_text(path: "Path") -> tuple[str, list[dict[str, Json]]]:
    """The text of a bundle, and diagnostics if the file is not text."""
    from pipelex.content.files.not_readable import NotReadable
    from pipelex.content.files.text import MARKS, decoded

    try:
        return decoded(path.read_bytes(), marks=MARKS[:1]), []
    except NotReadable as error:
        begin: Json = {"start_line": error.line, "start_col": 1, "end_line": error.line, "end_col": 1}
        return "", [{"kind": "syntax", "severity": "error", "message": str(error), "location": None, "range": begin}]


def _bundles_of(folder: "Path") -> "list[Path]":
    from pipelex.config import load_settings
    from pipelex.library import walk_tree
    from pipelex.runner import tree_rules_of

    rules = tree_rules_of(load_settings())
    return [folder / name for name in rules.bundles(walk_tree(folder, rules=rules), ".mthds", ".plx")]

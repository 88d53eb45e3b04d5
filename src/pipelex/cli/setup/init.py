"""`pipelex init`."""

import re
from importlib import resources
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from pipelex.cli._shared.console import out, paint_out
from pipelex.cli._shared.group import command_app

_EXAMPLES = """\b
Examples:
  pipelex init
  pipelex init --local
  pipelex init config --local"""

_HEADER: Final = """\
# Settings of Pipelex. Every setting is here, commented out, with its default value: uncomment what you change.
#
# "${NAME}" and "${NAME:-default}" are filled in from the environment and from `.env`.
# `pipelex config show --origin` prints every value in force and the file and line it comes from.
"""

_TABLE: Final = re.compile(r"\[[^\[\]=]+\]\s*(#.*)?")

app = command_app()


@app.command(epilog=_EXAMPLES)
def init(
    what: Annotated[
        Literal["all", "config", "inference"],
        typer.Argument(metavar="[all|config|inference]", help="Settings, model files, or both."),
    ] = "all",
    local: Annotated[
        bool, typer.Option("--local", "-l", help="In ./.pipelex of this project, not in the home directory.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there; each one is named.")] = False,
) -> None:
    """Write a commented configuration to start from. Files that are there are kept, and named."""
    from pipelex.config import load_settings

    folder = Path(".pipelex") if local else load_settings().home_dir
    for path, text in _files(what):
        _write(folder / path, text, force=force)


def _files(what: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if what in ("all", "config"):
        packaged = resources.files("pipelex.config") / "defaults" / "pipelex.toml"
        found.append(("pipelex.toml", commented(packaged.read_text(encoding="utf-8"))))
    if what in ("all", "inference"):
        from pipelex.inference import DEFAULTS

        for path in sorted(DEFAULTS.rglob("*.toml")):
            found.append((f"inference/{path.relative_to(DEFAULTS).as_posix()}", path.read_text(encoding="utf-8")))
    return found


def commented(text: str) -> str:
    """A settings file with its tables, and every value commented out."""
    lines = text.splitlines()
    start = next(index for index, line in enumerate(lines) if _TABLE.fullmatch(line))
    found = [
        line if not line or line.startswith("#") or _TABLE.fullmatch(line) else f"# {line}" for line in lines[start:]
    ]
    return "\n".join([_HEADER, *found]) + "\n"


def _write(path: Path, text: str, *, force: bool) -> None:
    paint = paint_out()
    is_there = path.exists()
    if is_there and not force:
        same = path.read_text(encoding="utf-8") == text
        out(f"{paint('kept', 'dim'):<8} {path}{'' if same else '  (differs from the packaged one)'}")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    out(f"{paint('replaced', 'yellow') if is_there else paint('wrote', 'green'):<8} {path}")

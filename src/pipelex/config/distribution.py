"""The name of this distribution, and the way the running copy was installed. No other module knows either.

The name means another product on the public index. So the command that adds an extra names the very copy it is for: a
checkout, a wheel's file, an address, or the index it came from.
"""

import json
import shlex
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

NAME: Final = "pipelex"
_ROOT: Final = Path(__file__).parents[3]
"""The checkout, when the code runs from one."""


def install_command(*extras: str) -> str:
    """The shell command that adds extras to the copy that runs, for example `python -m pip install -e ".[temporal]"`.

    Args:
        *extras: names of the distribution's extras.
    """
    wanted = f"[{','.join(extras)}]" if extras else ""
    source, is_editable = _source()
    if source is None:
        return f'{_installer()} "{NAME}{wanted}"'
    if not source.startswith("file:"):
        return f'{_installer()} "{NAME}{wanted} @ {source}"'
    path = unquote(urlsplit(source).path)
    return f'{_installer()} {"-e " if is_editable else ""}"{path}{wanted}"'


def package_command(name: str) -> str:
    """The shell command that installs another distribution.

    Args:
        name: the distribution's name.
    """
    return f"{_installer()} {shlex.quote(name)}"


def reinstall_command(name: str) -> str:
    """The shell command that installs another distribution anew.

    Args:
        name: the distribution's name.
    """
    return f"{_installer()} --force-reinstall {shlex.quote(name)}"


def _source() -> tuple[str | None, bool]:
    """The URL this copy was installed from, None for an index; and whether it is an editable install (PEP 610)."""
    try:
        recorded = metadata.distribution(NAME).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return (_ROOT.as_uri(), True) if (_ROOT / "pyproject.toml").is_file() else (None, False)
    if recorded is None:
        return None, False
    found = json.loads(recorded)
    return found.get("url"), bool(found.get("dir_info", {}).get("editable"))


def _installer() -> str:
    """`uv pip install` where uv installed this copy, else the pip of the interpreter that runs."""
    try:
        installer = metadata.distribution(NAME).read_text("INSTALLER") or ""
    except metadata.PackageNotFoundError:
        installer = ""
    if installer.strip() == "uv":
        return "uv pip install"
    python = shutil.which("python")
    is_same = python is not None and Path(python).absolute() == Path(sys.executable).absolute()
    return f"{'python' if is_same else shlex.quote(sys.executable)} -m pip install"

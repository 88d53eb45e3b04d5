"""The name of this distribution, and how the running copy was installed. No other module knows either.

On the public index, the name stands for another product. So a command that adds an extra names the source of this copy:
a checkout, a wheel file, a URL, or the index that it came from.
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
"""The root of the checkout, if the code runs from one."""


def install_command(*extras: str) -> str:
    """The shell command that adds extras to the running copy, for example `python -m pip install -e ".[temporal]"`.

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


def companion_command(name: str, *, is_elsewhere: bool) -> str:
    """The shell command that installs another distribution of this repository next to this one.

    Args:
        name: the distribution's name.
        is_elsewhere: whether the command is for another environment, into which it installs this distribution as well.
    """
    installer = _installer(is_elsewhere=is_elsewhere)
    source, is_editable = _source()
    checkout = Path(unquote(urlsplit(source or "").path))
    companion = checkout / "packages" / name
    if source is None or not companion.is_dir():
        return f"{installer} {shlex.quote(name)}"
    option = "-e " if is_editable else ""
    folders = [checkout, companion] if is_elsewhere else [companion]
    return f"{installer} {' '.join(f'{option}{shlex.quote(str(folder))}' for folder in folders)}"


def reinstall_command(name: str) -> str:
    """The shell command that reinstalls another distribution.

    Args:
        name: the distribution's name.
    """
    return f"{_installer()} --force-reinstall {shlex.quote(name)}"


def library_command(name: str) -> str:
    """The shell command that installs a library next to this distribution.

    Args:
        name: the library's name on the public index.
    """
    return f"{_installer()} {shlex.quote(name)}"


def _source() -> tuple[str | None, bool]:
    """The URL that this copy was installed from (None for an index), and whether the install is editable (PEP 610)."""
    try:
        recorded = metadata.distribution(NAME).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return (_ROOT.as_uri(), True) if (_ROOT / "pyproject.toml").is_file() else (None, False)
    if recorded is None:
        return None, False
    found = json.loads(recorded)
    return found.get("url"), bool(found.get("dir_info", {}).get("editable"))


def _installer(*, is_elsewhere: bool = False) -> str:
    """`uv pip install` if uv installed this copy; otherwise pip of this interpreter, or of any if it is elsewhere."""
    try:
        installer = metadata.distribution(NAME).read_text("INSTALLER") or ""
    except metadata.PackageNotFoundError:
        installer = ""
    if installer.strip() == "uv":
        return "uv pip install"
    if is_elsewhere:
        return "python -m pip install"
    python = shutil.which("python")
    is_same = python is not None and Path(python).absolute() == Path(sys.executable).absolute()
    return f"{'python' if is_same else shlex.quote(sys.executable)} -m pip install"

"""Checks for missing and conflicting packages, whose messages say what to do before an import fails."""

import re
import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from typing import Final

from pipelex.config.distribution import companion_command, install_command
from pipelex.errors import ErrorCategory, Fault, PipelexError

WORKER_DISTRIBUTION: Final = "pipelex-mistral-workflows"
"""The distribution that contains the workers."""
CLIENT_EXTRA: Final = "mistral-workflows"
"""The extra of Pipelex that installs the client."""
OLDEST_PYTHON: Final = (3, 12)
"""The oldest Python that Mistral's SDK for workers runs on."""

_SDK: Final = "mistralai-workflows"
_SHARED: Final = ("temporalio", "mistralai")
"""The packages that both Mistral's SDK for workers and Pipelex need."""
_UPPER: Final = re.compile(r"<\s*(\d+(?:\.\d+)*)")


def require_client() -> None:
    """Check that the client is installed.

    Raises:
        PipelexError: the client is missing; the advice says what to install.
    """
    if find_spec("mistralai") is None or find_spec("mistralai.client") is None:
        raise _missing(
            "runs on Mistral Workflows need the client `mistralai`, which is not installed",
            f"Install it with: {install_command(CLIENT_EXTRA)}",
        )


def no_worker() -> PipelexError:
    """The error if the distribution with the workers is not installed."""
    oldest, here = (".".join(map(str, version[:2])) for version in (OLDEST_PYTHON, sys.version_info))
    is_old = sys.version_info < OLDEST_PYTHON
    install = companion_command(WORKER_DISTRIBUTION, is_elsewhere=is_old)
    return _missing(
        f"a worker of Mistral Workflows needs the package {WORKER_DISTRIBUTION}, which is not installed, and Python {oldest} "
        f"or newer; this is Python {here}",
        f"Make an environment with Python {oldest} or newer, and in it: {install}"
        if is_old
        else f"Install it: {install}",
    )


def conflicts() -> Iterator[Fault]:
    """A warning for each installed package that is too new for Mistral's SDK for workers."""
    for wanted in _requirements():
        name = re.split(r"[^A-Za-z0-9._-]", wanted, maxsplit=1)[0]
        upper = _UPPER.search(wanted)
        installed = _installed(name) if name in _SHARED else None
        if installed is not None and upper is not None and _numbers(installed) >= _numbers(upper[1]):
            detail = f"{name} {installed} is installed, and {_SDK} needs {wanted}: its workers cannot run here"
            advice = f"make a separate environment for them, or install the older version: {name}<{upper[1]}"
            yield Fault("runtime.misconfigured", f"{detail}; {advice}", severity="warning")


def _requirements() -> list[str]:
    try:
        return [each for each in metadata.requires(_SDK) or [] if ";" not in each]
    except metadata.PackageNotFoundError:
        return []


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.split("+", 1)[0])[:3])


def _missing(detail: str, advice: str) -> PipelexError:
    return PipelexError(
        "runtime.misconfigured",
        detail,
        category=ErrorCategory.CONFIGURATION,
        params={"component": "mistral_workflows"},
        advice=advice,
    )

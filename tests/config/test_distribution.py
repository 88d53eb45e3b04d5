"""The command that adds an extra names the copy that runs."""

import json
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest

from pipelex.config import distribution
from pipelex.config.distribution import companion_command, install_command

ROOT = Path(__file__).parent.parent.parent


class Installed:
    """The metadata of an installed copy."""

    def __init__(self, **files: str) -> None:
        self.files = files

    def read_text(self, name: str) -> str | None:
        return self.files.get(name.partition(".")[0])


def pretend(monkeypatch: pytest.MonkeyPatch, installed: Installed) -> None:
    def found(name: str) -> Installed:
        assert name == "pipelex"
        return installed

    monkeypatch.setattr(metadata, "distribution", found)


@pytest.mark.parametrize(
    ("url", "command"),
    [
        (None, 'uv pip install "pipelex[ocr]"'),
        ('{"url": "file:///src/my%20house", "dir_info": {"editable": true}}', 'uv pip install -e "/src/my house[ocr]"'),
        ('{"url": "file:///src/house", "dir_info": {}}', 'uv pip install "/src/house[ocr]"'),
        ('{"url": "file:///w/pipelex-0.1.0-py3-none-any.whl", "archive_info": {}}',
         'uv pip install "/w/pipelex-0.1.0-py3-none-any.whl[ocr]"'),
        ('{"url": "https://files.example/p.whl", "archive_info": {}}',
         'uv pip install "pipelex[ocr] @ https://files.example/p.whl"'),
    ],
)  # fmt: skip
def test_each_kind_of_installation(url: str | None, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"INSTALLER": "uv\n"} | ({} if url is None else {"direct_url": url})
    pretend(monkeypatch, Installed(**files))

    assert install_command("ocr") == command


def test_the_interpreter_is_the_one_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, Installed(INSTALLER="pip"))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert install_command("a", "b") == 'python -m pip install "pipelex[a,b]"'
    monkeypatch.setenv("PATH", "/nowhere")
    assert install_command() == f'{sys.executable} -m pip install "pipelex"'


def test_a_checkout_that_was_never_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> None:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "distribution", missing)
    assert install_command("ocr").endswith(f'pip install -e "{ROOT}[ocr]"')


def test_another_distribution_comes_from_where_the_copy_came_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pretend(monkeypatch, Installed(INSTALLER="pip"))
    monkeypatch.setenv("PATH", "/nowhere")
    assert companion_command("pipelex-other", is_elsewhere=False) == f"{sys.executable} -m pip install pipelex-other"
    assert companion_command("pipelex-other", is_elsewhere=True) == "python -m pip install pipelex-other"
    checkout = tmp_path / "my house"
    url = json.dumps({"url": checkout.as_uri(), "dir_info": {"editable": True}})
    pretend(monkeypatch, Installed(INSTALLER="uv", direct_url=url))
    assert companion_command("pipelex-other", is_elsewhere=True) == "uv pip install pipelex-other"
    (checkout / "packages" / "pipelex-other").mkdir(parents=True)
    here = f"'{checkout}'", f"'{checkout}/packages/pipelex-other'"
    assert companion_command("pipelex-other", is_elsewhere=True) == f"uv pip install -e {here[0]} -e {here[1]}"
    assert companion_command("pipelex-other", is_elsewhere=False) == f"uv pip install -e {here[1]}"


def test_nobody_else_says_how_to_install() -> None:
    said = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "src").rglob("*")
        if path.suffix in (".py", ".toml") and path != Path(distribution.__file__)
        if re.search(r"pip install|pipelex\[", path.read_text(encoding="utf-8"))
    ]
    assert said == []

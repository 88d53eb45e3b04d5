"""The examples of `docs/testing.md`, executed in a folder of their own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FILES = {block.splitlines()[0].removeprefix("# "): block for block in BLOCKS if block.startswith("# ")}
PROGRAMS = [block for block in BLOCKS if not block.startswith("# ")]


@pytest.fixture
def kitchen(tmp_path: Path) -> Path:
    (method,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "kitchen.mthds").write_text(method, encoding="utf-8")
    return tmp_path


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "program",
    [
        pytest.param(block, id=f"program {rank}", marks=pytest.mark.server if "durable(" in block else ())
        for rank, block in enumerate(PROGRAMS, 1)
    ],
)
def test_programs(program: str, kitchen: Path) -> None:
    ran = run(kitchen, "-W", "error", "-c", program)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.slow
def test_the_tests(kitchen: Path) -> None:
    assert set(FILES) == {"conftest.py", "test_kitchen.py"}
    for name, text in FILES.items():
        (kitchen / name).write_text(text, encoding="utf-8")
    ran = run(kitchen, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert ran.returncode == 0, ran.stdout
    assert "1 passed" in ran.stdout

"""The viewer that is shipped is the one that `web/` builds."""

import base64
import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "src" / "pipelex" / "tooling" / "viewer" / "viewer.html"
NPM = shutil.which("npm")


def test_the_page_is_at_most_a_megabyte() -> None:
    assert SHIPPED.stat().st_size <= 1_000_000


def test_the_policy_lets_only_the_pages_own_script_run() -> None:
    page = SHIPPED.read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    script = re.search(r'<script type="module">(.*)</script>', page, re.DOTALL)
    assert policy is not None
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy[1]
    assert policy[1].startswith("default-src 'none'; ")


@pytest.mark.slow
@pytest.mark.skipif(NPM is None, reason="Node.js is not on this machine; the shipped page does not need it")
def test_building_anew_gives_the_same_page_and_its_tests_pass(tmp_path: Path) -> None:
    assert NPM is not None
    copy = tmp_path / "repository"
    shutil.copytree(ROOT / "web", copy / "web", ignore=shutil.ignore_patterns("node_modules", "dist"))
    for command in (["ci", "--no-audit", "--no-fund"], ["test"], ["run", "build"]):
        done = subprocess.run([NPM, *command], cwd=copy / "web", capture_output=True, text=True, timeout=110)
        assert done.returncode == 0, done.stdout + done.stderr
    built = copy / "src" / "pipelex" / "tooling" / "viewer" / "viewer.html"
    assert built.read_bytes() == SHIPPED.read_bytes(), "run `make web` and commit the page"

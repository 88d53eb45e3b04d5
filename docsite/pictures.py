"""Take the pictures of the pages again: `python -m docsite.pictures`.

They are screenshots of real runs, with a stand-in for the model, in headless Chromium.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from docsite.pages import DOCS, ROOT
from tests.support.browser import CHROMIUM, WITHOUT
from tests.support.openai_server import OpenAIStub

PICTURES: Final = DOCS / "pictures"
_SIZE: Final = "1400,700"


def main() -> int:
    """Write every picture, and return the exit code."""
    if CHROMIUM is None:
        sys.stderr.write(f"{WITHOUT}\n")
        return 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        page = _run_of_the_book(folder)
        PICTURES.mkdir(exist_ok=True)
        for view in ("graph", "result"):
            _take(CHROMIUM, f"{page.as_uri()}#{view}", PICTURES / f"run-{view}.png", folder)
    return 0


def _run_of_the_book(folder: Path) -> Path:
    """The page of a run of the example `lighthouse`."""
    with OpenAIStub() as stub:
        stub.on(
            "Write a one-sentence summary", object={"headline": "The lamp is lit", "mood": "calm", "people": ["Ana"]}
        )
        stub.on("Say in two sentences", text="A keeper minds a lamp. A ship comes home.")
        stub.on("Write one sentence that invites", text="Read it by the sea.")
        environ = {**os.environ, "HOME": str(folder), "OPENAI_API_KEY": "sk-of-a-stand-in", "OPENAI_BASE_URL": stub.url}
        command = ["-m", "pipelex.cli", "run", str(ROOT / "examples" / "lighthouse"), "--no-pretty-print"]
        subprocess.run([sys.executable, *command], cwd=folder, env=environ, check=True, capture_output=True)
    (found,) = (folder / "results").glob("*/run.html")
    return found


def _take(browser: str, address: str, picture: Path, folder: Path) -> None:
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}/browser"]
    more = [f"--window-size={_SIZE}", "--virtual-time-budget=5000", f"--screenshot={picture}"]
    subprocess.run([browser, *flags, *more, address], check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    raise SystemExit(main())

"""What a type checker says of programs that use the public API: mistakes in keywords are errors, the rest is none."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import pipelex
from pipelex import Json, Method, RunHandle, RunResult
from pipelex.errors.json import as_object, exactly


async def right(method: Method) -> None:
    result: RunResult = await method.run({"name": "Ada"}, dry_run=True, on_item_failure="collect")
    handle: RunHandle = await method.start(run_id="monday", output_concept="Text")
    print(result.text, (await handle.status()).has_ended, handle.is_attached)
    print(method.run_sync(dry_run=True), pipelex.run_sync("a.mthds", full_memory=True))
    inputs: dict[str, Json] = {"words": ["a", {"number": 1.5, "is_new": None}]}
    again = await pipelex.run("a.mthds", inputs, pipe="greet")
    print(exactly(as_object(again.content)["text"], str).upper())


async def wrong(method: Method) -> None:
    await method.run(dry_rum=True)  # WRONG
    await method.start(dry_run="yes")  # WRONG
    method.run_sync(dry_rum=True)  # WRONG
    method.run_sync(on_item_failure="skip")  # WRONG
    await pipelex.run("a.mthds", pype="greet")  # WRONG
    pipelex.run_sync("a.mthds", run_id=7)  # WRONG
    value: Json = {"words": {"a", "b"}}  # WRONG
    print(method.run_sync(value).content["words"])  # WRONG
"""


@pytest.mark.slow
def test_mistakes_in_keywords_are_errors(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(PROGRAM, encoding="utf-8")
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}', encoding="utf-8")
    checked = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", str(file)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    found = {entry["range"]["start"]["line"] for entry in json.loads(checked.stdout)["generalDiagnostics"]}
    assert found == {line for line, text in enumerate(PROGRAM.splitlines()) if text.endswith("# WRONG")}

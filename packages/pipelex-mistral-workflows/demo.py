"""The lighthouse example inside Mistral Workflows, on the stand-in of Mistral's API that the tests use.

Run by `make demo-mistral`. The worker is Mistral's own SDK; only the address of the API differs.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from pathlib import Path

HERE = Path(__file__).parent
EXAMPLE = HERE.parents[1] / "examples" / "lighthouse"
PIPELEX = [sys.executable, "-m", "pipelex.cli"]
START_SECONDS = 120


def main() -> int:
    """Run the demo, and return its exit status: 0 if the run succeeded."""
    say("Pipelex demo: the reader's report of `make demo`, inside Mistral Workflows.")
    print("Mistral's API is a stand-in on this machine, over a Temporal server; the worker is Mistral's SDK, as it is.")
    scratch = Path(tempfile.mkdtemp(prefix="pipelex-demo-"))
    try:
        with process([sys.executable, "-m", "mistral_stand_in"], scratch, "stand-in", paths=[HERE / "tests"]) as told:
            stand_in = json.loads(told)
            known = {
                "PIPELEX_ENV": "mistral",
                "PIPELEX_TRUST_PROJECT": "1",
                "PIPELEX_DEMO_MISTRAL": stand_in["url"],
                "MISTRAL_WORKFLOWS_KEY": stand_in["key"],
            }
            command = [*PIPELEX, "worker", "--orchestrator", "mistral-workflows", "--ready-file"]
            say("1. A worker of the deployment", "pipelex worker --orchestrator mistral-workflows")
            with process(command, scratch, "worker", known, cwd=EXAMPLE):
                run_id = f"demo-{time.strftime('%Y%m%d-%H%M%S')}"
                say("2. The same files; PIPELEX_ENV=mistral chooses the backend", "pipelex run report.mthds …")
                arguments = ["run", "report.mthds", "--inputs", "inputs.toml", "--run-id", run_id]
                pipelex([*arguments, "--output-dir", str(scratch / "results")], known)
                say("3. What ran, as the events tell it", f"pipelex runs show {run_id}")
                pipelex(["runs", "show", run_id], known)
    except subprocess.CalledProcessError as failed:
        print(f"\nThe demo stopped: status {failed.returncode}.", file=sys.stderr)
        for log in scratch.glob("*.log"):
            print(f"\n{log.name}:\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 0


def say(title: str, *commands: str) -> None:
    """Print a heading and the commands it stands for."""
    is_bold = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    print(f"\n\033[1m{title}\033[0m" if is_bold else f"\n{title}", flush=True)
    for command in commands:
        print(f"  $ {command}", flush=True)


def pipelex(arguments: list[str], known: Mapping[str, str]) -> None:
    """Run a pipelex command in the example's folder, with its output on this terminal."""
    subprocess.run([*PIPELEX, *arguments], cwd=EXAMPLE, env={**os.environ, **known}, check=True)


@contextlib.contextmanager
def process(
    command: list[str],
    scratch: Path,
    name: str,
    known: Mapping[str, str] | None = None,
    *,
    cwd: Path = HERE,
    paths: list[Path] | None = None,
) -> Generator[str]:
    """Run a process until the block ends, and yield the text that it writes into its ready file."""
    ready, log = scratch / f"{name}.ready", scratch / f"{name}.log"
    environ = {**os.environ, **(known or {})}
    if paths:
        environ["PYTHONPATH"] = os.pathsep.join(map(str, paths))
    with log.open("wb") as output:
        child = subprocess.Popen(
            [*command, str(ready)], cwd=cwd, env=environ, stdout=output, stderr=output, start_new_session=True
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not ready.exists():
            if child.poll() is not None or time.monotonic() > deadline:
                raise subprocess.CalledProcessError(child.poll() or 1, command)
            time.sleep(0.1)
        yield ready.read_text(encoding="utf-8")
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


if __name__ == "__main__":
    sys.exit(main())

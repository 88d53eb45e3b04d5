"""Child processes of tests: a worker, a model server, a Temporal server; each ended with the block that started it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


@contextmanager
def process(
    arguments: Sequence[str], *, cwd: Path, environ: Mapping[str, str], log: Path
) -> Generator[subprocess.Popen[bytes]]:
    """A Python process (`python` and these arguments) that is gone when the block ends, however it ends."""
    known = {**os.environ, "PYTHONPATH": str(REPOSITORY), **environ}
    with log.open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, *arguments], cwd=cwd, env=known, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield child
    finally:
        kill(child)


def kill(child: subprocess.Popen[bytes]) -> None:
    """End a process with SIGKILL, if it is still there."""
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)
        child.wait()


def wait_for_file(file: Path, child: subprocess.Popen[bytes], log: Path, seconds: float = 60.0) -> str:
    """The text of a file that a process writes when it is ready.

    Raises:
        AssertionError: the process ended first, or took too long.
    """
    deadline = time.monotonic() + seconds
    while not file.exists():
        said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        assert child.poll() is None, f"the process ended with {child.returncode}: {said}"
        assert time.monotonic() < deadline, f"the process was not ready in time: {said}"
        time.sleep(0.05)
    return file.read_text(encoding="utf-8")


def peak_memory(pid: int) -> int:
    """The most memory that a process has had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port

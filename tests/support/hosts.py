"""Several hosts on this machine, each with an address and a disk of its own, all on one switch.

They are network and mount namespaces that last as long as a process holds them, and that process ends with the test's:
nothing of them is left behind, however a test ends.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pipelex.temporal.dev_server import die_with_parent
from tests.support.processes import REPOSITORY, kill

SUBNET: Final = "10.213.74"
_NEEDED: Final = ("ip", "ss", "unshare", "nsenter", "mount")


def why_there_are_none() -> str | None:
    """What this machine lacks for them; None when nothing is missing."""
    if sys.platform != "linux":
        return "hosts are made of Linux namespaces"
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    if missing:
        return f"{' and '.join(missing)} not found: apt-get install iproute2 util-linux mount"
    tried = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else f"no namespaces here: {tried.stderr.strip()}"


@dataclass(eq=False)
class Host:
    """A machine of the network."""

    name: str
    address: str
    disk: Path
    """Its folder, as the test sees it."""
    home: Path
    """The same folder as it sees it itself: every host has this path, and something else there."""
    holder: subprocess.Popen[bytes]
    environ: dict[str, str] = field(default_factory=dict[str, str])
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])

    @property
    def log(self) -> Path:
        return self.disk / "log.txt"

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def _inside(self, command: Sequence[str | Path]) -> list[str]:
        entering = ["nsenter", "--target", str(self.holder.pid), "--net", "--mount", "env", "-C", str(self.home)]
        return [*entering, *map(str, command)]

    def _environment(self) -> dict[str, str]:
        known = {name: value for name, value in os.environ.items() if not name.startswith(("PIPELEX_", "TEMPORAL_"))}
        own = {
            "HOME": str(self.home),
            "TMPDIR": str(self.home / "tmp"),
            "PYTHONPATH": str(REPOSITORY),
            "PIPELEX_TRUST_PROJECT": "1",
        }
        return {**known, **own, **self.environ}

    def start(self, *command: str | Path) -> subprocess.Popen[bytes]:
        """Start a program; it ends with the host, and writes to the host's log."""
        with self.log.open("ab") as output:
            child = subprocess.Popen(
                self._inside(command),
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=die_with_parent,
            )
        self.processes.append(child)
        return child

    def python(self, *arguments: str | Path) -> subprocess.Popen[bytes]:
        """Start a Python module or script."""
        return self.start(sys.executable, *arguments)

    def run(self, *command: str | Path, seconds: float = 60.0) -> str:
        """What a program writes to standard output.

        Raises:
            AssertionError: it fails.
        """
        done = subprocess.run(
            self._inside(command),
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def pipelex(self, *arguments: str) -> Any:
        """What `pipelex … --json` says."""
        return json.loads(self.run(sys.executable, "-m", "pipelex.cli", *arguments, "--json"))

    def listens(self, port: int) -> bool:
        """Whether a program of the host takes connections at a port."""
        return f":{port} " in self.run("ss", "--tcp", "--listening", "--numeric")


@dataclass
class Network:
    """A switch and what is plugged into it."""

    root: Path
    switch: subprocess.Popen[bytes]
    hosts: list[Host] = field(default_factory=list[Host])

    def add(self, name: str) -> Host:
        """A new host, with an empty disk."""
        number = len(self.hosts) + 1
        disk, home = self.root / "disks" / name, self.root / "disk"
        (disk / "tmp").mkdir(parents=True)
        # Its own folder appears at the path that all have in common, and those of the others are hidden.
        mounts = f"mount --bind '{disk}' '{home}' && mount -t tmpfs none '{disk.parent}'"
        holder = _hold(f"{mounts} && ip link set lo up", "--net", "--mount")
        host = Host(name, f"{SUBNET}.{number}", disk, home, holder)
        self.hosts.append(host)
        self._on_switch("link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", str(holder.pid))
        self._on_switch("link", "set", f"to-{name}", "master", "lan")
        host.run("ip", "address", "add", f"{host.address}/24", "dev", "eth0")
        host.run("ip", "link", "set", "eth0", "up")
        self.plug(host)
        return host

    def unplug(self, host: Host) -> None:
        """Pull a host's cable."""
        self._on_switch("link", "set", f"to-{host.name}", "down")

    def plug(self, host: Host) -> None:
        """Put a host's cable back."""
        self._on_switch("link", "set", f"to-{host.name}", "up")

    def _on_switch(self, *arguments: str) -> None:
        command = ["nsenter", "--target", str(self.switch.pid), "--net", "ip", *arguments]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=20)

    def close(self) -> None:
        """End every process and, with the last one, the hosts."""
        for host in self.hosts:
            for child in (*reversed(host.processes), host.holder):
                kill(child)
        kill(self.switch)


@contextmanager
def network(root: Path) -> Generator[Network]:
    """A network while the block runs; its hosts' disks are in that folder."""
    (root / "disk").mkdir()
    made = Network(root, _hold("ip link add lan type bridge && ip link set lan up", "--net"))
    try:
        yield made
    finally:
        made.close()


def _hold(setting_up: str, *namespaces: str) -> subprocess.Popen[bytes]:
    """A process that holds new namespaces, once they are set up."""
    child = subprocess.Popen(
        ["unshare", *namespaces, "sh", "-c", f"{setting_up} && echo ready && exec sleep infinity"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=die_with_parent,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    with child.stdout, child.stderr:
        if child.stdout.readline() != b"ready\n":
            problem = child.stderr.read().decode()
            kill(child)
            raise AssertionError(problem)
    return child

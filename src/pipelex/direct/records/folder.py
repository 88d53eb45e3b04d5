"""The records of runs in the user's own folder."""

import gzip
import hashlib
import json
import logging
import os
import re
import shutil
import socket
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, Self

from pipelex.config.files.plain import read_plain
from pipelex.config.own_files import OWN_FOLDER, append_own, write_own_file
from pipelex.content.stuff import WorkingMemory
from pipelex.direct.records.journal import lines_of, trace_from_lines
from pipelex.direct.records.sources import source_from_json, source_to_json
from pipelex.direct.records.traces import trace_from_json
from pipelex.direct.records.waits import wait_from_json, wait_to_json
from pipelex.errors import ErrorReport, Json, PipelexError
from pipelex.errors.json import as_object, as_texts, exactly, maybe
from pipelex.orchestration import Attributes, RunDescription, RunSource, RunState, Wait
from pipelex.pipes import Execution
from pipelex.pipes.calls import PipeOutcome
from pipelex.pipes.trace import PipeTrace
from pipelex.pipes.traces.closing import close
from pipelex.pipes.usage import cost_of

logger = logging.getLogger("pipelex.direct")

_PLAIN: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
_PRUNED_BEYOND: Final = 1.1
"""The factor by which the number of records may exceed the maximum before the oldest are deleted."""
_COUNTED_AGAIN: Final = 4
"""The records are counted again when this share of the free places is used up: other processes make records, too."""
_FACTS: Final = "run.json"
_SOURCE: Final = "source.json.gz"
_TRACE: Final = "trace.json.gz"
_WAITS: Final = "waits.json"
_JOURNAL: Final = "journal.jsonl"
_EARLIER: Final = "trace-{}.json.gz"
_EARLIER_JOURNAL: Final = "trace-{}.jsonl"
_MOST_BYTES: Final = 1024**3
"""The maximum size of a file of a record that is read, in bytes."""
_SMALL: Final = 16_384
"""The most bytes that count as small when they are compressed."""
_GZIP: Final = 16
"""Added to the size of the window, this makes `zlib` write the header of gzip."""
_UNREADABLE: Final = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    PipelexError,
    RecursionError,
    TypeError,
    ValueError,
    zlib.error,
)
"""What reading a file raises that is damaged, or of another release, or that something else wrote."""


@dataclass(frozen=True)
class RecordedFacts:
    """The facts about a run in `run.json`."""

    run_id: str
    pipe: str
    pipe_type: str
    state: RunState
    started: datetime
    ended: datetime | None = None
    user: str | None = None
    attributes: Attributes = field(default_factory=dict[str, str])
    fingerprint: str | None = None
    """The fingerprint of the library closure that ran."""
    cost: float | None = None
    replay_of: str | None = None
    error: ErrorReport | None = None
    process: str = ""
    """The host, the id and the start of the process that runs the run."""

    @property
    def is_interrupted(self) -> bool:
        """Whether the run's process is gone although the run had not ended."""
        return self.state is RunState.RUNNING and not _is_alive(self.process)

    @property
    def description(self) -> RunDescription:
        """The run as the port describes it."""
        is_interrupted = self.is_interrupted
        described = self.described(RunState.CANCELLED if is_interrupted else self.state)
        return replace(described, is_interrupted=is_interrupted)

    def described(self, state: RunState) -> RunDescription:
        """The run as the port describes it, in a state."""
        return RunDescription(
            self.run_id,
            self.run_id,
            self.pipe,
            self.pipe_type,
            state,
            self.started,
            self.ended,
            "this machine",
            user=self.user,
            attributes=self.attributes,
            cost=self.cost,
            replay_of=self.replay_of,
            fingerprint=self.fingerprint,
        )

    def to_json(self) -> dict[str, Json]:
        """The facts as JSON."""
        members: dict[str, Json] = {
            "run_id": self.run_id,
            "pipe": self.pipe,
            "pipe_type": self.pipe_type,
            "state": self.state.value,
            "started": self.started.isoformat(),
            "ended": None if self.ended is None else self.ended.isoformat(),
            "user": self.user,
            "attributes": {name: v if isinstance(v, str) else list(v) for name, v in self.attributes.items()},
            "fingerprint": self.fingerprint,
            "cost_usd": self.cost,
            "replay_of": self.replay_of,
            "error": None if self.error is None else self.error.to_json(),
            "process": self.process,
        }
        return {name: value for name, value in members.items() if value not in (None, {}, "")}

    @classmethod
    def from_json(cls, written: Mapping[str, Json]) -> Self:
        """The inverse of `to_json`.

        Raises:
            KeyError, OverflowError, TypeError, ValueError: the JSON does not describe a run.
        """
        ended, error = maybe(written.get("ended"), str), written.get("error")
        return cls(
            exactly(written["run_id"], str),
            exactly(written["pipe"], str),
            exactly(written["pipe_type"], str),
            RunState(written["state"]),
            datetime.fromisoformat(exactly(written["started"], str)).astimezone(UTC),
            None if ended is None else datetime.fromisoformat(ended).astimezone(UTC),
            maybe(written.get("user"), str),
            {name: _attribute(value) for name, value in as_object(written.get("attributes", {})).items()},
            maybe(written.get("fingerprint"), str),
            maybe(written.get("cost_usd"), float),
            maybe(written.get("replay_of"), str),
            None if error is None else ErrorReport.from_json(as_object(error)),
            exactly(written.get("process", ""), str),
        )


def _attribute(value: Json) -> str | tuple[str, ...]:
    return as_texts(value) if isinstance(value, list) else exactly(value, str)


@dataclass
class _Countdown:
    """The number of records to make before all are counted again. Listing a full folder takes time."""

    left: int = 0


@dataclass(frozen=True)
class RecordFolder:
    """The records of a user's runs.

    They must never make a run fail: a failure to write is only logged, and an unreadable record counts as missing.
    """

    root: Path
    most: int
    """The most records that are kept; the oldest are deleted first."""
    _countdown: _Countdown = field(default_factory=_Countdown, init=False, repr=False, compare=False)

    # --- writing ------------------------------------------------------------------------------------------------------

    def begin(self, facts: RecordedFacts, source: RunSource) -> bool:
        """Record that a run begins, and replace an earlier record of the same id; return whether that succeeded."""
        try:
            folder, _ = self._made(facts.run_id)
            (folder / _WAITS).unlink(missing_ok=True)
            _write(folder / _SOURCE, source_to_json(source))
            _write(folder / _FACTS, replace(facts, process=_this_process()).to_json())
            return True
        except OSError as failed:
            logger.info("The run '%s' leaves no record: %s", facts.run_id, failed)
            return False

    def append(self, run_id: str, lines: bytes) -> bool:
        """Append lines to the journal of a running run; return whether that succeeded."""
        try:
            # The file is not kept open, because a program may have a thousand runs under way.
            append_own(self._folder(run_id) / _JOURNAL, lines)
            return True
        except OSError as failed:
            logger.info("The journal of run '%s' cannot be written: %s", run_id, failed)
            return False

    def wait(self, run_id: str, waits: Sequence[Wait]) -> None:
        """Record the current waits of a running run, and replace the earlier ones; do nothing without a record."""
        with suppress(OSError):
            _write(self._folder(run_id) / _WAITS, [wait_to_json(wait) for wait in waits])

    def end(
        self,
        facts: RecordedFacts,
        lines: bytes,
        execution: Execution | None,
        source: RunSource | None = None,
    ) -> None:
        """Record how a run ended.

        Args:
            facts: the facts about the run.
            lines: the lines of its journal that are not written yet.
            execution: the outcome of the run; None if it did not succeed.
            source: the source of the run, if `begin` has not recorded it.
        """
        try:
            folder, is_new = (self._folder(facts.run_id), False) if source is None else self._made(facts.run_id)
            if not is_new:
                if not folder.is_dir():
                    return
                (folder / _WAITS).unlink(missing_ok=True)
            written: dict[str, Json] = {}
            if execution is not None:
                written["outcome"] = execution.outcome.model_dump(mode="json", exclude_unset=True)
                written["memory"] = execution.memory.to_json()
            if source is not None:
                written["source"] = source_to_json(source)
            # A record without facts is ignored, so the other files of a new record need not be written atomically.
            trace = _with_lines(written, lines if is_new else _journal(folder) + lines)
            write_own_file(folder / _TRACE, _packed(trace), in_place=is_new)
            _write(folder / _FACTS, facts.to_json(), is_seen=not is_new)
            if not is_new:
                (folder / _JOURNAL).unlink(missing_ok=True)
        except OSError as failed:
            logger.info("The record of run '%s' cannot be written: %s", facts.run_id, failed)

    def _made(self, run_id: str) -> tuple[Path, bool]:
        """Make the folder for a run, or take that of an earlier run of the same id; return it and whether it is new."""
        folder = self._folder(run_id)
        try:
            self._prune()
            folder.mkdir(mode=OWN_FOLDER)
        except FileNotFoundError:
            self.root.mkdir(mode=OWN_FOLDER, parents=True, exist_ok=True)
            folder.mkdir(mode=OWN_FOLDER)
        except FileExistsError:
            _set_aside(folder)
            return folder, False
        return folder, True

    # --- reading ------------------------------------------------------------------------------------------------------

    def facts(self, run_id: str) -> RecordedFacts | None:
        """The facts about a run; None if it has no record."""
        return _facts(self._folder(run_id))

    def newest(self) -> Iterator[RecordedFacts]:
        """Every run that has a record, the newest first."""
        found = filter(None, map(_facts, self._folders()))
        yield from sorted(found, key=lambda facts: facts.started, reverse=True)

    def source(self, run_id: str) -> RunSource | None:
        """The source of a run; None if it cannot be read."""
        folder = self._folder(run_id)
        try:
            with suppress(FileNotFoundError):
                if "source" in (written := _read(folder / _TRACE)):
                    return source_from_json(written["source"])
            return source_from_json(_read(folder / _SOURCE))
        except _UNREADABLE as failed:
            logger.info("The record of run '%s' cannot be read: %s", run_id, failed)
            return None

    def trace(self, run_id: str) -> PipeTrace | None:
        """The trace of a run, so far or to its end; None if it cannot be read."""
        folder = self._folder(run_id)
        return _trace(folder / _TRACE) or _closed(_trace(folder / _JOURNAL), folder)

    def traces(self, run_id: str) -> list[PipeTrace]:
        """The traces of all attempts of a run, the latest first."""
        folder = self._folder(run_id)
        found = [_trace(path) for path in (folder / _TRACE, folder / _JOURNAL, *reversed(_earlier(folder)))]
        return [trace for trace in found if trace is not None]

    def execution(self, run_id: str) -> Execution | None:
        """The outcome of a run; None if it has none."""
        try:
            written = _read(self._folder(run_id) / _TRACE)
            outcome = PipeOutcome.model_validate(written["outcome"])
            return Execution(outcome, WorkingMemory.from_json(written["memory"]))
        except _UNREADABLE:
            return None

    def waits(self, run_id: str) -> list[Wait]:
        """The waits of a running run, as they were last recorded."""
        try:
            return [wait_from_json(written) for written in _read(self._folder(run_id) / _WAITS)]
        except _UNREADABLE:
            return []

    # --- the folder ---------------------------------------------------------------------------------------------------

    def _folder(self, run_id: str) -> Path:
        """The folder of a run; if the id is not a plain name, the folder is named by its digest."""
        is_plain = _PLAIN.fullmatch(run_id) is not None
        return self.root / (run_id if is_plain else "." + hashlib.sha256(run_id.encode()).hexdigest())

    def _folders(self) -> list[Path]:
        try:
            return [entry for entry in self.root.iterdir() if entry.is_dir() and not entry.is_symlink()]
        except OSError:
            return []

    def _prune(self) -> None:
        self._countdown.left -= 1
        if self._countdown.left > 0:
            return
        free = int(self.most * _PRUNED_BEYOND) - len(os.listdir(self.root))
        if free >= 0:
            self._countdown.left = free // _COUNTED_AGAIN
            return
        folders = self._folders()
        for folder in sorted(folders, key=lambda each: each.stat().st_mtime)[: len(folders) - self.most]:
            shutil.rmtree(folder, ignore_errors=True)


def _facts(folder: Path) -> RecordedFacts | None:
    try:
        facts = RecordedFacts.from_json(as_object(_read(folder / _FACTS)))
    except _UNREADABLE:
        return None
    return _with_journal(facts, folder) if facts.is_interrupted else facts


def _with_journal(facts: RecordedFacts, folder: Path) -> RecordedFacts:
    """The facts of an interrupted run, with its end and cost taken from the journal."""
    root = _trace(folder / _TRACE) or _trace(folder / _JOURNAL)
    return replace(facts, ended=_last_heard(folder), cost=None if root is None else cost_of(root.usage))


def _last_heard(folder: Path) -> datetime | None:
    """The time when the run's process last wrote to the record."""
    for name in (_JOURNAL, _FACTS):
        with suppress(OSError):
            return datetime.fromtimestamp((folder / name).stat().st_mtime, UTC)
    return None


def _closed(root: PipeTrace | None, folder: Path) -> PipeTrace | None:
    """A tree from a journal; if the run was interrupted, everything still running in it is marked as ended."""
    facts = _facts(folder)
    if root is not None and facts is not None and facts.is_interrupted:
        root.status, root.ended = RunState.CANCELLED, facts.ended
        close(root)
    return root


def _trace(file: Path) -> PipeTrace | None:
    try:
        if file.suffix != ".gz":
            return trace_from_lines(lines_of(read_plain(file, most=_MOST_BYTES)))
        written = _read(file)
        return trace_from_lines(written["lines"]) if "lines" in written else trace_from_json(written["trace"])
    except _UNREADABLE:
        return None


def _journal(folder: Path) -> bytes:
    with suppress(FileNotFoundError):
        return (folder / _JOURNAL).read_bytes()
    return b""


def _with_lines(members: Mapping[str, Json], lines: bytes) -> bytes:
    """A JSON object with these members, and with the journal's lines, which are JSON, as the list `lines`."""
    return (
        _encoded(members)[:-1] + (b"," if members else b"") + b'"lines":[' + lines.strip().replace(b"\n", b",") + b"]}"
    )


def _earlier(folder: Path) -> list[Path]:
    """The files of the earlier attempts of a run, the first attempt first."""
    return sorted(path for name in (_EARLIER, _EARLIER_JOURNAL) for path in folder.glob(name.format("*")))


def _set_aside(folder: Path) -> None:
    """Keep the trace of an attempt before the run is run again under its id, because its results were paid for."""
    trace, journal = folder / _TRACE, folder / _JOURNAL
    number = f"{len(_earlier(folder)) + 1:03}"
    if trace.exists():
        trace.replace(folder / _EARLIER.format(number))
        journal.unlink(missing_ok=True)
    elif journal.exists():
        journal.replace(folder / _EARLIER_JOURNAL.format(number))


def _write(path: Path, content: Json, *, is_seen: bool = True) -> None:
    """Write a file that only the user may read; atomically, if other processes may read it meanwhile."""
    data = _encoded(content)
    write_own_file(path, _packed(data) if path.suffix == ".gz" else data, in_place=not is_seen)


def _packed(data: bytes) -> bytes:
    """The data as gzip. A small window is enough for small data, and takes a fifth of the time."""
    bits, memory = (12, 4) if len(data) <= _SMALL else (15, 8)
    packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP + bits, memory)
    return packer.compress(data) + packer.flush()


def _encoded(content: Json) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=str).encode(errors="replace")


def _read(path: Path) -> Any:
    data = read_plain(path, most=_MOST_BYTES)
    return json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)


def _this_process() -> str:
    return _process(os.getpid())


@cache
def _process(number: int) -> str:
    return f"{socket.gethostname()} {number} {_began(number)}".rstrip()


def _is_alive(process: str) -> bool:
    """Whether a process that recorded a run is still alive; a process of another host is assumed to be."""
    host, _, rest = process.partition(" ")
    number, _, began = rest.partition(" ")
    if host != socket.gethostname() or not number.isdigit():
        return host != socket.gethostname() and bool(process)
    try:
        os.kill(int(number), 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return not began or _began(int(number)) == began


def _began(process: int) -> str:
    """The start of a process in kernel ticks, which tells reused process ids apart; empty if it is not known."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""

"""The report of a chaos run: its counts, its bounds, and whether they hold."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from bench.chaos.fleet import HEARTBEAT_SECONDS
from bench.chaos.provider import Call

RECOVERY_BOUND: Final = HEARTBEAT_SECONDS + 10.0
UNREPORTED_SECONDS: Final = 2.0
"""How long before a kill an answered call still counts as in flight, because its worker may not have reported it."""

Json = Any


@dataclass
class Fault:
    """One fault that was injected; times are seconds since the start."""

    kind: str
    target: str
    at: float
    until: float
    """When it was over: when a killed server answered again, or a storm ended."""
    lives: tuple[str, ...] = ()
    """The keys of the processes that it killed."""
    recovery: float | None = None
    """Seconds until everything that was under way had made progress; None when nothing was under way."""
    in_flight: int = 0
    """The number of calls that it may have lost."""
    repeated: int = 0
    """The number of calls that were repeated because of it."""
    note: str = ""
    last: str = ""
    """The run or the lost call that was the last to make progress."""

    @property
    def is_kill(self) -> bool:
        return self.kind in ("kill worker", "kill server")

    def may_have_lost(self, call: Call) -> bool:
        """Whether a call was in flight when the fault came."""
        ended = call.ended if call.ended is not None else float("inf")
        if ended < self.at - UNREPORTED_SECONDS:
            return False
        if self.kind == "kill worker":
            return call.worker in self.lives
        return self.kind in ("kill server", "cut connections") and call.arrived <= self.until


@dataclass
class Report:
    """The results of one `python -m bench.chaos`."""

    seed: int
    runs: int
    seconds: float
    faults: list[Fault]
    lost: dict[str, str]
    """What became of each lost run, by the run's id."""
    wrong: dict[str, str]
    calls: int
    labels: int
    """The number of different calls that the runs needed."""
    repeated: dict[str, int]
    """The number of repeated calls, by reason."""
    unexplained: list[str]
    """Labels of calls that were repeated for no reason."""
    unexpected: list[str]
    """Labels and prompts that no run should have asked for, or that were never asked for."""
    left_running: int
    """The number of workflows that were still running at the end."""
    ended_alone: dict[str, list[int]]
    """The exit codes of processes that ended without being killed, by the process's name."""
    notes: list[str] = field(default_factory=list[str])

    @property
    def kills(self) -> list[Fault]:
        return [fault for fault in self.faults if fault.is_kill]

    @property
    def slowest(self) -> float:
        return max((fault.recovery or 0.0 for fault in self.kills), default=0.0)

    @property
    def bounds(self) -> list[tuple[str, str, str, bool]]:
        """Each bound: what it limits, the value found, the limit, and whether it holds."""
        by_kill = max((fault.repeated - fault.in_flight for fault in self.kills), default=0)
        return [
            ("runs lost", str(len(self.lost)), "0", not self.lost),
            ("wrong results", str(len(self.wrong)), "0", not self.wrong),
            ("calls repeated beyond those in flight", str(max(by_kill, 0)), "0", by_kill <= 0),
            ("calls repeated without a reason", str(len(self.unexplained)), "0", not self.unexplained),
            ("calls nobody should make, or nobody made", str(len(self.unexpected)), "0", not self.unexpected),
            ("workflows left running", str(self.left_running), "0", self.left_running == 0),
            (
                "slowest recovery from a kill",
                f"{self.slowest:.1f} s",
                f"{RECOVERY_BOUND:.0f} s (heartbeat time-out + 10 s)",
                self.slowest <= RECOVERY_BOUND,
            ),
        ]

    @property
    def is_good(self) -> bool:
        return all(holds for *_, holds in self.bounds)

    def to_json(self) -> dict[str, Json]:
        bounds = [
            {"what": what, "found": found, "bound": bound, "holds": holds} for what, found, bound, holds in self.bounds
        ]
        injected = Counter(fault.kind for fault in self.faults if fault.kind != "nothing")
        kinds = ", ".join(f"{count} × {kind}" for kind, count in injected.items())
        return {
            "title": "Faults",
            "what": f"{self.runs} runs with {self.calls:,} calls in {self.seconds:,.0f} s, under {injected.total()} faults "
            f"({kinds}); repeated calls: {_counts(self.repeated) or 'none'}.",
            **asdict(self),
            "verdicts": bounds,
            "is_good": self.is_good,
        }

    def text(self) -> str:
        """The report as text for a terminal."""
        lines = [
            f"seed {self.seed}: {self.runs} runs, {self.calls} provider calls, {len(self.faults)} faults "
            f"in {self.seconds:.0f} s",
            "",
            f"{'at':>7}  {'fault':<16} {'target':<12} {'in flight':>9} {'repeated':>8} {'recovery':>9}",
        ]
        for fault in self.faults:
            recovery = "-" if fault.recovery is None else f"{fault.recovery:.1f} s"
            flight = (str(fault.in_flight), str(fault.repeated)) if fault.lives or fault.is_kill else ("", "")
            lines.append(
                f"{fault.at:6.1f}s  {fault.kind:<16} {fault.target:<12} {flight[0]:>9} {flight[1]:>8} {recovery:>9}"
                f"{'  ' + fault.note if fault.note else ''}"
            )
        lines += ["", "Repeated calls: " + (_counts(self.repeated) or "none")]
        if self.ended_alone:
            lines.append(f"Processes that ended by themselves (exit codes): {self.ended_alone}")
        for name, found in (("lost", self.lost), ("wrong", self.wrong)):
            lines += [f"  {name} {run}: {what}" for run, what in list(found.items())[:10]]
        lines += [f"  no reason to repeat: {label}" for label in self.unexplained[:10]]
        lines += [f"  unexpected: {label}" for label in self.unexpected[:10]]
        lines += [f"Note: {note}" for note in self.notes]
        lines.append("")
        for what, found, bound, holds in self.bounds:
            lines.append(f"{'ok  ' if holds else 'FAIL'}  {what:<42} {found:>8}   bound {bound}")
        return "\n".join(lines)


def _counts(found: Mapping[str, int]) -> str:
    return ", ".join(f"{count} by {reason}" for reason, count in found.items())


def explain(calls: Sequence[Call], faults: Sequence[Fault]) -> tuple[dict[str, int], list[str]]:
    """Find the reasons for repeated calls, and fill in the numbers in the faults.

    Args:
        calls: all calls.
        faults: all faults; the first one that may have lost a call is its reason.

    Returns:
        The number of repeated calls by reason, and the labels of those without a reason.
    """
    by_label: dict[str, list[Call]] = {}
    for call in sorted(calls, key=lambda call: call.arrived):
        by_label.setdefault(call.label, []).append(call)
    for fault in faults:
        fault.in_flight = sum(fault.may_have_lost(call) for call in calls)
    reasons: Counter[str] = Counter()
    unexplained: list[str] = []
    for label, made in by_label.items():
        for before in made[:-1]:
            fault = next((fault for fault in faults if fault.may_have_lost(before)), None)
            if before.fault is not None:
                reasons["the provider's failure"] += 1
            elif fault is not None:
                fault.repeated += 1
                reasons[fault.kind] += 1
            else:
                unexplained.append(label)
    return dict(reasons), unexplained

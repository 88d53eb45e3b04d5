"""Runs under faults, with a seed and a report: `python -m bench.chaos --seed 1 --runs 200`; see `bench/README.md`."""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from bench.chaos.driver import KINDS, Plan, carry_out
from bench.page import recorded
from bench.signals import end_as_with_ctrl_c


def main() -> int:
    """Run the command; the exit code is 0 when every bound held, 1 when one was broken, 130 after an interrupt."""
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=15.0, help="all runs must have ended by then")
    parser.add_argument("--report", type=Path, help="a JSON file for programs")
    parser.add_argument("--faults", help=f"only these, by comma: {', '.join(KINDS)}")
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between faults, at most")
    parser.add_argument("--folder", type=Path, help="an empty folder for databases and logs, kept afterwards")
    options = parser.parse_args()
    kinds = tuple(kind.strip() for kind in options.faults.split(",")) if options.faults else KINDS
    if unknown := set(kinds) - set(KINDS):
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    quiet = LoggingConfig(
        TelemetryFilter(core_level="ERROR", other_level="ERROR")
    )  # it is expected that servers are gone
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=quiet)))
    plan = Plan(options.seed, options.runs, options.minutes, pause=options.pause, kinds=kinds)
    end_as_with_ctrl_c()
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            report = asyncio.run(carry_out(plan, folder.resolve()))
        except KeyboardInterrupt:
            print("Interrupted; every process was ended.", file=sys.stderr)
            return 130
    print(report.text())
    if options.report is not None:
        command = " ".join(["python -m bench.chaos", *sys.argv[1:]])
        options.report.write_text(recorded(report.to_json(), command=command), encoding="utf-8")
    return 0 if report.is_good else 1


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    time.sleep(0.5)  # the SDK may abort an interpreter that exits before the SDK's threads have ended
    os._exit(code)

"""Require that tests take 95 % of the branches of each layer in a report of coverage.py, and list what they leave out."""

import json
import sys
from collections import defaultdict
from pathlib import Path

REQUIRED = 95.0

taken: dict[str, int] = defaultdict(int)
known: dict[str, int] = defaultdict(int)
left: dict[str, list[str]] = defaultdict(list)
for file, report in sorted(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["files"].items()):
    layer = file.partition("pipelex/")[2].partition("/")[0]
    taken[layer] += report["summary"]["covered_branches"]
    known[layer] += report["summary"]["num_branches"]
    if report["missing_branches"]:
        lines = ", ".join(f"{start}→{end}" if end > 0 else f"{start}→exit" for start, end in report["missing_branches"])
        left[layer].append(f"  {file}: {lines}")
is_enough = True
for layer, branches in sorted(known.items()):
    percent = 100 * taken[layer] / branches if branches else 100.0
    print(f"{layer:12} {percent:6.1f} % of {branches} branches")
    if percent < REQUIRED:
        is_enough = False
        print("\n".join(left[layer]))
sys.exit(0 if is_enough else f"Every layer above needs {REQUIRED:g} % of its branches taken.")

"""The records that in-process runs leave in the user's own folder, so that other processes can find and retry them.

A record is a folder that only the user may read. `run.json` describes the run, `source.json.gz` holds the method and
call that started it, and `trace.json.gz` holds its trace with every value. The trace of a short run also holds the
source. `journal.jsonl` holds what a run has done so far; it is all that is left if its process is killed. Nothing in a
record is ever executed.
"""

from pipelex.direct.records.folder import RecordedFacts, RecordFolder
from pipelex.direct.records.runs import RecordedRun

__all__ = ["RecordFolder", "RecordedFacts", "RecordedRun"]

"""What runs of this process leave in the user's own folder: found, shown, compared, retried and replayed from any other.

A record is a folder that the user alone may read: `run.json` says what the run is, `source.json.gz` what it was started
with, `trace.json.gz` what it did, with every value; a short run's trace holds its source, too. `journal.jsonl` is what a run
under way did until now, and all that one leaves whose process is killed. Nothing of it is ever executed.
"""

from pipelex.direct.records.folder import RecordedFacts, RecordFolder
from pipelex.direct.records.runs import RecordedRun

__all__ = ["RecordFolder", "RecordedFacts", "RecordedRun"]

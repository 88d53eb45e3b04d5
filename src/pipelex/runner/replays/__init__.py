"""Runs an earlier run again with an edit, and reuses the results that the edit does not affect.

```python
replay = await prepare_replay(app, "run-20260131-094501-9f3c2a7b", ReplayEdit(members={"pipe.summarize.prompt": "…"}))
print(replay.forecast.reused, replay.forecast.paid)
result = await (await replay.start()).result()
```

An effect is identified by what it asks: activity, prompt, model, settings, schema. If the earlier run asked exactly the
same, its result is reused. Every other effect is performed. The earlier run stays as it is.
"""

from pipelex.runner.replays._edits import ReplayEdit
from pipelex.runner.replays._forecast import Forecast
from pipelex.runner.replays._replay import Replay, prepare_replay, replays_of

__all__ = ["Forecast", "Replay", "ReplayEdit", "prepare_replay", "replays_of"]

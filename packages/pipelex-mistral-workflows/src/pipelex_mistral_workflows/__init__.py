"""Workers that run Pipelex methods inside Mistral Workflows.

`run_pipe` runs a whole method as one activity of your own workflow:

```python
from pipelex_mistral_workflows import run_pipe


@workflows.activity(start_to_close_timeout=timedelta(minutes=10))
async def summarize(document: str) -> dict[str, Any]:
    return await run_pipe("methods/summarize", {"document": document})
```
"""

from pipelex_mistral_workflows.simple import run_pipe

__all__ = ["run_pipe"]

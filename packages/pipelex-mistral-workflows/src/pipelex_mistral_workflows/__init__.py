"""Workers that run Pipelex methods inside Mistral Workflows, and whole methods as one activity of a workflow of yours.

```python
from pipelex_mistral_workflows import run_pipe


@workflows.activity(start_to_close_timeout=timedelta(minutes=10))
async def summarize(document: str) -> dict[str, Any]:
    return await run_pipe("methods/summarize", {"document": document})
```
"""

from pipelex_mistral_workflows.simple import run_pipe

__all__ = ["run_pipe"]

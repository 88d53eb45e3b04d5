"""Pipelex runs methods of the MTHDS open standard: in-process, or durably on Temporal, without changing a line.

```python
import pipelex

method = pipelex.load("report.mthds")
result = await method.run({"document": "…"})
print(result.text)
```

Names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelex.content.stuff import Absence, Stuff, WorkingMemory
    from pipelex.errors import (
        ConfigurationError,
        ErrorCategory,
        ErrorReport,
        Fault,
        InputError,
        MethodInvalidError,
        PipelexError,
    )
    from pipelex.errors.json import Json
    from pipelex.library import Verdict
    from pipelex.runner import Method, Pipelex, RowRun, RunHandle, RunResult
    from pipelex.runner._shortcuts import attach, load, run, run_sync, validate

__all__ = [
    "Absence",
    "ConfigurationError",
    "ErrorCategory",
    "ErrorReport",
    "Fault",
    "InputError",
    "Json",
    "Method",
    "MethodInvalidError",
    "Pipelex",
    "PipelexError",
    "RowRun",
    "RunHandle",
    "RunResult",
    "Stuff",
    "Verdict",
    "WorkingMemory",
    "__version__",
    "attach",
    "load",
    "run",
    "run_sync",
    "validate",
]

__version__ = "0.1.0"

_HOMES = {
    "Absence": "pipelex.content.stuff",
    "Stuff": "pipelex.content.stuff",
    "WorkingMemory": "pipelex.content.stuff",
    "ConfigurationError": "pipelex.errors",
    "ErrorCategory": "pipelex.errors",
    "ErrorReport": "pipelex.errors",
    "Fault": "pipelex.errors",
    "InputError": "pipelex.errors",
    "MethodInvalidError": "pipelex.errors",
    "PipelexError": "pipelex.errors",
    "Json": "pipelex.errors.json",
    "Verdict": "pipelex.library",
    "Method": "pipelex.runner",
    "Pipelex": "pipelex.runner",
    "RowRun": "pipelex.runner",
    "RunResult": "pipelex.runner",
    "RunHandle": "pipelex.runner",
    "attach": "pipelex.runner._shortcuts",
    "load": "pipelex.runner._shortcuts",
    "run": "pipelex.runner._shortcuts",
    "run_sync": "pipelex.runner._shortcuts",
    "validate": "pipelex.runner._shortcuts",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pipelex' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

"""Rewrites older forms of bundles to the current standard, and keeps comments and layout.

```python
result = fix_bundle(Path("old.plx").read_text(), path="old.mthds")
for rewrite in result.rewrites:
    print(rewrite.location.line, rewrite.fix_code, rewrite.description)
```

Source: sections 11.1 and 13 of the language reference.
"""

from pipelex.tooling.fix._classes import structures_of_source
from pipelex.tooling.fix._document import apply_ops
from pipelex.tooling.fix._engine import MAX_ITERATIONS, FixOptions, FixResult, Rewrite, fix_bundle, fix_files
from pipelex.tooling.fix._files import FixTarget, read_target
from pipelex.tooling.fix._functions import functions_of_sources

__all__ = [
    "MAX_ITERATIONS",
    "FixOptions",
    "FixResult",
    "FixTarget",
    "Rewrite",
    "apply_ops",
    "fix_bundle",
    "fix_files",
    "functions_of_sources",
    "read_target",
    "structures_of_source",
]

"""Reads `.mthds` files: turns text into blueprints and faults, each with file, line and column.

```python
bundle = parse_bundle(Path("berths.mthds").read_bytes(), path="berths.mthds")
for fault in bundle.faults:
    print(fault.location.line, fault.detail)
```

Nothing here needs another file; `pipelex.library` resolves references and wires pipes.
"""

from pipelex.language._bundle import ParsedBundle, parse_bundle
from pipelex.language._fault import render_path
from pipelex.language._natives import (
    COUNT_NAME,
    METADATA_NAMES,
    NATIVE_CODES,
    RETIRED_NATIVES,
    RUNTIME_NAMES,
    native_meant,
)
from pipelex.language._old_forms import RETIRED_TYPES
from pipelex.language.references import NATIVE_DOMAIN, Reference, Slot

__all__ = [
    "COUNT_NAME",
    "METADATA_NAMES",
    "NATIVE_CODES",
    "NATIVE_DOMAIN",
    "RETIRED_NATIVES",
    "RETIRED_TYPES",
    "RUNTIME_NAMES",
    "ParsedBundle",
    "Reference",
    "Slot",
    "native_meant",
    "parse_bundle",
    "render_path",
]

"""The error model: one exception tree, one report, one registry of codes.

```
Exception
└── PipelexError            carries an ErrorReport
    ├── ConfigurationError  a settings file or a missing setting
    │   ├── ProjectNotTrustedError  files of a project that were not trusted yet
    │   └── TemporalConfigError  the `[temporal]` settings
    ├── MethodInvalidError  faults in a method's files
    └── InputError          a run-time input
```
"""

from pipelex.errors._exceptions import (
    ConfigurationError,
    InputError,
    MethodInvalidError,
    PipelexError,
    ProjectNotTrustedError,
    TemporalConfigError,
)
from pipelex.errors._names import comparing_few_names, listed, near_names
from pipelex.errors._registry import CORE_CODES, CodeFacts
from pipelex.errors._report import (
    NOT_CONNECTED,
    ErrorCategory,
    ErrorReport,
    Fault,
    Location,
    SuggestedFix,
    error_type_name,
)
from pipelex.errors.json import Json

__all__ = [
    "CORE_CODES",
    "NOT_CONNECTED",
    "CodeFacts",
    "ConfigurationError",
    "ErrorCategory",
    "ErrorReport",
    "Fault",
    "InputError",
    "Json",
    "Location",
    "MethodInvalidError",
    "PipelexError",
    "ProjectNotTrustedError",
    "SuggestedFix",
    "TemporalConfigError",
    "comparing_few_names",
    "error_type_name",
    "listed",
    "near_names",
]

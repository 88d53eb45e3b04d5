"""Trust in a project's files: which settings need it, and which files are trusted.

A project's folder may come from anywhere. Until a file is trusted, its settings that read a variable, a secret or a
file of the user, or that send something to an address that the project chooses, are withheld, and the settings of lower
layers stay in effect. Choosing models, routes and defaults needs no trust. Each file is trusted by its path and the
digest of its content, so a changed file needs trust again.
"""

from pipelex.config.trust._demand import (
    SECRET_NAME,
    TRUST_VARIABLE,
    Demand,
    Withheld,
    not_in_force,
    require_trust,
    stays_here,
    why_refused,
)
from pipelex.config.trust._record import (
    Trust,
    digest_of,
    forget_trust,
    is_recorded,
    read_record,
    record_trust,
    trust_files,
    trusted_below,
)

__all__ = [
    "SECRET_NAME",
    "TRUST_VARIABLE",
    "Demand",
    "Trust",
    "Withheld",
    "digest_of",
    "forget_trust",
    "is_recorded",
    "not_in_force",
    "read_record",
    "record_trust",
    "require_trust",
    "stays_here",
    "trust_files",
    "trusted_below",
    "why_refused",
]

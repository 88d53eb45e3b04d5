"""Trust in a project's files: what they may name once they are trusted, and which ones are.

A project's folder may come from anywhere. Until its files are trusted, whatever they say that reads a variable, a secret
or a file of the user, or that sends something to an address of the project's choice, is withheld: the settings below
it stay in force. Choosing models, routes and defaults needs no trust. Files are trusted one by one, by their path and
the digest of their content, so that a file that changes is asked for again.
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

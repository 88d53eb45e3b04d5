"""Packages: `METHODS.toml`, `methods.lock`, versions and constraints.

Source: MTHDS 8.0.0, section 12 of the language reference.
"""

from pipelex.library.packages._manifest import (
    LOCK_NAME,
    MANIFEST_NAME,
    MTHDS_VERSION,
    Dependency,
    LockedPackage,
    Manifest,
    read_lock,
    read_manifest,
)
from pipelex.library.packages._repository import packages_beside
from pipelex.library.packages._versions import satisfies, version_key

__all__ = [
    "LOCK_NAME",
    "MANIFEST_NAME",
    "MTHDS_VERSION",
    "Dependency",
    "LockedPackage",
    "Manifest",
    "packages_beside",
    "read_lock",
    "read_manifest",
    "satisfies",
    "version_key",
]

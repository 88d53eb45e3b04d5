"""The packages that references may name by address, and the choice of their versions."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipelex.config.files.paths import resolved
from pipelex.errors import Fault, PipelexError
from pipelex.library._trees.tree import MethodTree
from pipelex.library.packages import Manifest, packages_beside, satisfies, version_key


@dataclass
class FoundPackage:
    """A package on disk or in memory, of which only the manifest has been read."""

    tree: MethodTree
    manifest: Manifest | None
    faults: tuple[Fault, ...]


@dataclass
class Reach:
    """Packages by address: first those that were shipped or named, then those of the same repository."""

    read: Callable[[Path], FoundPackage]
    """Reads the package of a folder."""
    origin: Path | None = None
    """The folder of the current package. Its repository is searched for packages that are found nowhere else."""
    _by_address: dict[str, list[FoundPackage]] = field(default_factory=dict[str, list[FoundPackage]])
    _roots: set[Path] = field(default_factory=set[Path])
    _is_searched: bool = False

    def add(self, package: FoundPackage) -> None:
        """Make a package available under the addresses of its manifest."""
        root = package.tree.root
        if root is not None and resolved(root) in self._roots:
            return
        if root is not None:
            self._roots.add(resolved(root))
        for identity in package.manifest.identities if package.manifest is not None else ():
            self._by_address.setdefault(identity, []).append(package)

    def stand_in(self, address: str, folder: Path) -> None:
        """Use the package of a folder for an address that no other package has, whatever its manifest says."""
        if address not in self._by_address:
            self._by_address[address] = [self.read(folder)]

    def find(self, address: str, constraints: Iterable[str]) -> FoundPackage | None:
        """The package of an address: the lowest version that satisfies every constraint.

        If none does, the first package is returned, so that a message can name its version.
        """
        candidates = self._candidates(address)
        fitting = [
            package
            for package in candidates
            if package.manifest is not None and all(satisfies(package.manifest.version, one) for one in constraints)
        ]
        return min(fitting, key=_version, default=next(iter(candidates), None))

    def _candidates(self, address: str) -> list[FoundPackage]:
        if address not in self._by_address and not self._is_searched and self.origin is not None:
            self._is_searched = True
            for folder in packages_beside(self.origin):
                try:
                    self.add(self.read(folder))
                except PipelexError:  # a neighbour that is too large does not count
                    continue
        return self._by_address.get(address, [])


def constraints_of(manifests: Iterable[Manifest | None]) -> Mapping[str, frozenset[str]]:
    """The demands of some packages on the versions of others, by address."""
    found: dict[str, set[str]] = {}
    for manifest in manifests:
        for dependency in manifest.dependencies.values() if manifest is not None else ():
            if dependency.version is not None:
                found.setdefault(dependency.address, set()).add(dependency.version)
    return {address: frozenset(versions) for address, versions in found.items()}


def _version(package: FoundPackage) -> tuple[object, ...]:
    return version_key(package.manifest.version if package.manifest is not None else "")

"""The names of concepts and pipes in packages, and the rules for resolving references to them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from pipelex.content.natives import NATIVE_CONCEPTS, RETIRED_NATIVES
from pipelex.errors import CORE_CODES, Fault, Json, near_names
from pipelex.language import native_meant
from pipelex.language.references import NATIVE_DOMAIN, Reference
from pipelex.library.packages import Manifest, satisfies

if TYPE_CHECKING:
    from pipelex.language import ParsedBundle

_MOST_SUGGESTING = 40
"""The maximum number of faults for which near names are searched: among ten thousand names, each search takes a
while."""


@dataclass(frozen=True)
class PackageBundles:
    """The bundles of one package, with what its manifest says."""

    address: str | None
    """The address of the package; None for the current one."""
    bundles: tuple["ParsedBundle", ...]
    manifest: Manifest | None = None
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    """Names the package gives its dependencies → their addresses."""
    faults: tuple[Fault, ...] = ()
    """The faults of the manifest."""


@dataclass(frozen=True)
class NameFault:
    """The reason why a reference leads nowhere."""

    code: str
    detail: str
    category: str
    params: dict[str, Json] = field(default_factory=dict[str, Json])
    suggestions: tuple[str, ...] = ()
    is_silent: bool = False
    """Whether the fault is not reported, because the declaration may be in a file that could not be read and has its
    own fault."""

    @cached_property
    def takes(self) -> tuple[str, ...]:
        """The parameters that the registry lists for the code."""
        return CORE_CODES[self.code].params


class Names:
    """Every name of some packages, and the rules for resolving references (section 4 of the language reference)."""

    def __init__(self, packages: Sequence[PackageBundles]) -> None:
        self._packages = {package.address: package for package in packages}
        self._owners: dict[tuple[str, str], ParsedBundle] = {}
        self._by_code: dict[tuple[str, str], list[str]] = {}
        self._local: dict[tuple[str, str | None, str], list[str]] = {}
        """Kind, package, domain → codes."""
        self._unreadable: set[str | None] = set()
        """Packages with a bundle that could not be read at all."""
        self._exports: dict[str | None, set[str]] = {}
        self._suggested = 0
        self.broken: set[str] = set()
        """Names whose declarations could not be read."""
        for package in packages:
            for bundle in package.bundles:
                self._register(package, bundle)

    def _register(self, package: PackageBundles, bundle: "ParsedBundle") -> None:
        blueprint = bundle.blueprint
        if blueprint is None:
            self._unreadable.add(package.address)
            return
        for kind, sound, broken in (
            ("concept", blueprint.concepts, bundle.broken_concepts),
            ("pipe", blueprint.pipes, bundle.broken_pipes),
        ):
            for code in (*sound, *sorted(broken)):
                ref = self.ref(package.address, blueprint.domain, code)
                if (kind, ref) in self._owners:
                    if kind == "pipe" and self._is_signature(ref, code) and not _is_signature(bundle, code):
                        self._define(ref, bundle, is_broken=code not in sound)
                    continue
                self._owners[kind, ref] = bundle
                self._by_code.setdefault((kind, code), []).append(ref)
                self._local.setdefault((kind, package.address, blueprint.domain), []).append(code)
                if code not in sound:
                    self.broken.add(ref)

    def _is_signature(self, ref: str, code: str) -> bool:
        return _is_signature(self._owners["pipe", ref], code)

    def _define(self, ref: str, bundle: "ParsedBundle", *, is_broken: bool) -> None:
        """Let a definition replace the signature that has declared the pipe so far."""
        self._owners["pipe", ref] = bundle
        if is_broken:
            self.broken.add(ref)

    @staticmethod
    def ref(package: str | None, domain: str, code: str) -> str:
        """The qualified reference of a declaration."""
        return str(Reference(code, domain, package))

    def is_sole(self, kind: str, code: str) -> bool:
        """Whether only one declaration has that code."""
        return len(self._by_code.get((kind, code), ())) < 2

    def owner(self, kind: str, ref: str) -> "ParsedBundle | None":
        """The bundle whose declaration counts."""
        return self._owners.get((kind, ref))

    # --- references ---------------------------------------------------------------------------------------------------

    def concept(self, text: str, package: str | None, domain: str) -> str | NameFault:
        """The qualified reference of a concept named in a bundle of a package and domain, or why there is none."""
        reference = Reference.parse(text)
        if (
            reference.package is None
            and reference.domain in (None, NATIVE_DOMAIN)
            and reference.code in NATIVE_CONCEPTS
        ):
            return f"{NATIVE_DOMAIN}.{reference.code}"
        return self._find("concept", reference, package, domain)

    def pipe(self, text: str, package: str | None, domain: str) -> str | NameFault:
        """The qualified reference of a pipe named in a bundle of a package and domain, or why there is none."""
        return self._find("pipe", Reference.parse(text), package, domain)

    def hidden(self, ref: str, package: str | None, domain: str) -> NameFault | None:
        """The reason why an existing pipe may not be called from a package and domain; None if it may."""
        target = Reference.parse(ref)
        owner = self._packages[target.package]
        if target.package == package and (owner.manifest is None or target.domain == domain):
            return None
        if owner.manifest is None or f"{target.domain}.{target.code}" in self._exported(owner):
            return None
        place = "this package" if target.package == package else f"the package '{target.package}'"
        return NameFault(
            "method.pipe_not_exported",
            f"the pipe '{target.domain}.{target.code}' is private: {place} does not export it;"
            f" add '{target.code}' to the pipes of [exports.{target.domain}] in its METHODS.toml",
            "unexported_pipe_dependency",
            {"pipe": f"{target.domain}.{target.code}", "package": owner.manifest.address},
        )

    def broken_promises(self, package: PackageBundles) -> Iterator[Fault]:
        """The faults of exports, and of a main pipe, that a manifest names but no bundle of the package declares."""
        manifest = package.manifest
        if manifest is None or package.address in self._unreadable:
            return
        for domain, codes in manifest.exports.items():
            for code in codes:
                if ("pipe", self.ref(package.address, domain, code)) not in self._owners:
                    near = near_names(code, self._local.get(("pipe", package.address, domain), ()))
                    keys = ("exports", *domain.split("."), "pipes")
                    yield manifest.fault(f"[exports.{domain}]: no bundle declares the pipe '{code}'", keys, near)
        declared = [code for bundle in package.bundles if bundle.blueprint for code in bundle.blueprint.pipes]
        broken = [code for bundle in package.bundles for code in bundle.broken_pipes]
        if manifest.main_pipe is not None and manifest.main_pipe not in (*declared, *broken):
            near = near_names(manifest.main_pipe, declared)
            detail = f"no bundle declares the main pipe '{manifest.main_pipe}'"
            yield manifest.fault(detail, ("package", "main_pipe"), near)

    def _exported(self, package: PackageBundles) -> set[str]:
        if package.address not in self._exports:
            manifest = package.manifest
            exported: set[str] = set()
            if manifest is not None:
                exported |= {f"{domain}.{code}" for domain, codes in manifest.exports.items() for code in codes}
            for bundle in package.bundles:
                blueprint = bundle.blueprint
                if blueprint is None:
                    continue
                if blueprint.main_pipe is not None:
                    exported.add(f"{blueprint.domain}.{blueprint.main_pipe}")
                if manifest is not None and manifest.main_pipe in blueprint.pipes:
                    exported.add(f"{blueprint.domain}.{manifest.main_pipe}")
            self._exports[package.address] = exported
        return self._exports[package.address]

    def _find(self, kind: str, reference: Reference, package: str | None, domain: str) -> str | NameFault:
        if reference.package is not None:
            address = self._packages[package].aliases.get(reference.package, reference.package)
            if address not in self._packages:
                return self._no_package(reference, kind)
            if (unfit := self._unfit(reference, package, address)) is not None:
                return unfit
            package = address
        place = reference.domain or domain
        ref = self.ref(package, place, reference.code)
        if (kind, ref) in self._owners:
            return ref
        return self._unresolved(kind, reference, package, place)

    def _no_package(self, reference: Reference, kind: str) -> NameFault:
        known = [address for address in self._packages if address is not None]
        return NameFault(
            "method.dependency_missing",
            f"the package '{reference.package}' of '{reference}' was not found:"
            " put it beside the method or in a library directory",
            "unresolved_package_dependency",
            {"kind": "package", "name": str(reference.package), "reason": "not_found"},
            near_names(str(reference.package), known),
        )

    def _unfit(self, reference: Reference, package: str | None, address: str) -> NameFault | None:
        """The fault of a dependency whose available version is not one that a package asks for; None if it fits."""
        asking, given = self._packages[package].manifest, self._packages[address].manifest
        for dependency in asking.dependencies.values() if asking is not None else ():
            wanted = dependency.version
            if dependency.address != address or wanted is None or given is None or satisfies(given.version, wanted):
                continue
            return NameFault(
                "method.dependency_missing",
                f"'{reference}' needs version '{wanted}' of '{address}', but only {given.version} was found: put a matching"
                " version beside the method or in a library directory, or change the constraint in METHODS.toml",
                "unresolved_package_dependency",
                {"kind": "package", "name": address, "reason": "no_matching_version"},
            )
        return None

    def _unresolved(self, kind: str, reference: Reference, package: str | None, domain: str) -> NameFault:
        code = "method.concept_unresolved" if kind == "concept" else "method.pipe_unresolved"
        category = "unresolved_concept" if kind == "concept" else "unresolved_pipe_dependency"
        if package in self._unreadable:
            return NameFault(code, "", category, is_silent=True)
        is_native_place = kind == "concept" and reference.domain in (None, NATIVE_DOMAIN)
        retired = RETIRED_NATIVES.get(reference.code) if kind == "concept" and reference.domain is None else None
        suggestions = (retired,) if retired is not None else self._near(kind, reference, package, domain)
        meant = native_meant(reference.code) if is_native_place else None
        if meant is not None and (not suggestions or suggestions[0] in NATIVE_CONCEPTS):
            suggestions = tuple(dict.fromkeys((meant, *suggestions)))
        where = f"in domain '{domain}'" + ("" if package is None else f" of package '{package}'")
        if kind == "concept":
            detail = f"no concept '{reference}': it is neither native nor declared {where}"
            if retired is not None:
                detail = f"the native concept '{reference.code}' is retired: write '{retired}'"
            elif suggestions:
                detail += f"; did you mean {_or(suggestions)}?"
            else:
                detail += "; declare it under [concept]"
            params: dict[str, Json] = {"concept": str(reference), "suggestions": list(suggestions)}
        else:
            detail = f"no pipe '{reference}' is declared {where}"
            detail += f"; did you mean {_or(suggestions)}?" if suggestions else f"; declare [pipe.{reference.code}]"
            params = {"missing": str(reference), "candidates": list(suggestions)}
        return NameFault(code, detail, category, params, suggestions)

    def _near(self, kind: str, reference: Reference, package: str | None, domain: str) -> tuple[str, ...]:
        """Suggestions: first the same code elsewhere, as it must be written here, then similar codes of the domain."""
        self._suggested += 1
        if self._suggested > _MOST_SUGGESTING:
            return ()
        elsewhere = [ref for ref in self._by_code.get((kind, reference.code), ()) if _may_name(ref, reference)][:2]
        prefix = "" if reference.domain is None else str(reference).removesuffix(reference.code)
        native = [*NATIVE_CONCEPTS] if kind == "concept" and reference.package is None else []
        if prefix and reference.code in native:
            elsewhere.append(reference.code)
        local = self._local.get((kind, package, domain), ())
        near = near_names(reference.code, (*local, *native))
        return tuple(dict.fromkeys((*elsewhere, *(prefix + code if code in local else code for code in near))))[:3]


def _is_signature(bundle: "ParsedBundle", code: str) -> bool:
    pipe = bundle.blueprint.pipes.get(code) if bundle.blueprint is not None else None
    return pipe is not None and pipe.is_signature


def _may_name(ref: str, reference: Reference) -> bool:
    """Whether a declaration elsewhere is worth suggesting: only for package references if in a dependency."""
    return (Reference.parse(ref).package is None) == (reference.package is None)


def _or(names: Sequence[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"

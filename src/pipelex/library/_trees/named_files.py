"""The files of a method tree that pipes name: modules of functions, templates of documents."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from pipelex.errors import Fault, PipelexError
from pipelex.language.blueprints import NamedFile
from pipelex.library._crate import LibraryCrate, MethodFile
from pipelex.library._library import Library
from pipelex.library._link import LinkedBundles
from pipelex.library._trees.tree import MethodTree


def with_files(linked: LinkedBundles, trees: Mapping[str, MethodTree]) -> LinkedBundles:
    """The library, with the file of the method tree for every pipe that names one.

    Validation reports files that do not exist. A tree that may not travel is a fault.

    Args:
        linked: the library that `link` made.
        trees: bundle path → the method tree it lies in.
    """
    found: dict[str, MethodFile] = {}
    faults: list[Fault] = []
    for ref, blueprint in linked.crate.pipes.items():
        bundle = linked.sources[ref].bundle.path or ""
        tree = trees.get(bundle)
        named = blueprint.named_file()
        path = None if tree is None or named is None else _path_of(tree, bundle, named)
        if tree is None or path is None:
            continue
        try:
            content = tree.read(path)
            if content is not None:
                found[ref] = MethodFile(tree.digest, path, hashlib.sha256(content).hexdigest())
        except PipelexError as refused:
            report = refused.report
            place = linked.sources[ref].locate()
            faults.append(Fault(report.code, report.detail, location=place, params=report.params))
    if not found and not faults:
        return linked
    crate = LibraryCrate(linked.crate.concepts, linked.crate.pipes, found)
    return replace(linked, crate=crate, library=Library(crate), faults=(*linked.faults, *faults))


def module_files(tree: MethodTree, function: str) -> list[str]:
    """The files that may be the module of a function's import path; a valid tree has exactly one."""
    path = "/".join(function.split(".")[:-1])
    return [file for file in (f"{path}.py", f"{path}/__init__.py") if tree.find(file) is not None]


def tree_path(tree: MethodTree, bundle: str, name: str) -> str | None:
    """The tree path of a name that is relative to a bundle's folder; None if it leaves the tree."""
    place = max((path for path in tree.files if bundle == path or bundle.endswith("/" + path)), key=len, default="")
    segments = place.split("/")[:-1]
    for segment in name.split("/"):
        if segment == "..":
            if not segments:
                return None
            segments.pop()
        elif segment not in ("", "."):
            segments.append(segment)
    return "/".join(segments)


def _path_of(tree: MethodTree, bundle: str, named: NamedFile) -> str | None:
    if named.kind == "function":
        return next(iter(module_files(tree, named.name)), None)
    return tree_path(tree, bundle, named.name)

"""Loads a method: turns files into a library with its verdict, in one call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipelex.errors import ErrorCategory, PipelexError, comparing_few_names
from pipelex.library._library import Library
from pipelex.library._link import LinkedBundles, link
from pipelex.library._load import LoadedFiles, display_path, load_files, load_paths
from pipelex.library._trees.named_files import with_files
from pipelex.library._trees.siblings import with_siblings
from pipelex.library._trees.tree import MethodTree, TreeRules
from pipelex.library._validate import CheckModel, validate
from pipelex.library._verdict import Verdict


@dataclass(frozen=True)
class LoadedLibrary:
    """Bundle files made into a library, with the verdict on them."""

    library: Library | None
    """The library; None when nothing could be linked. It may be incomplete when the verdict is negative."""
    verdict: Verdict
    entries: tuple[str, ...]
    """The pipes that the targets name as their main pipe; one that the manifest names takes precedence."""
    files: LoadedFiles
    linked: LinkedBundles
    focus: str | None = None
    """The pipe that the verdict is about; None when it is about everything."""

    @property
    def entry(self) -> str | None:
        """The entry pipe, when there is exactly one."""
        return self.entries[0] if len(self.entries) == 1 else None

    @property
    def tree(self) -> MethodTree:
        """The files that travel with the method."""
        return self.files.tree

    def pipe_ref(self, name: str | None = None) -> str:
        """The qualified reference of the pipe that a person names, or of the entry pipe.

        Raises:
            PipelexError: the method is invalid (`method.invalid`), there is no such pipe (`request.pipe_not_found`),
                several have that code (`request.pipe_ambiguous`), or the method names no entry pipe, or several
                (`request.pipe_unspecified`).
        """
        if self.library is None:
            self.verdict.require_valid()
            raise _unspecified(())
        if name is not None:
            return self.library.find_pipe(name)
        if self.entry is None:
            raise _unspecified(self.entries, self.library.own_pipes)
        return self.entry


@comparing_few_names
def load_library(
    paths: Sequence[Path],
    *,
    library_dirs: Sequence[Path] = (),
    check_model: CheckModel | None = None,
    rules: TreeRules | None = None,
    texts: Mapping[Path, str] | None = None,
) -> LoadedLibrary:
    """Read, link and validate bundle files.

    Args:
        paths: bundle files and directories; without any, the library directories are the targets.
        library_dirs: additional folders of the concepts, pipes and packages that the method refers to.
        check_model: returns the faults of a model that a pipe names; without it, models are not checked.
        rules: the limits of folders, and the folders that are not searched for bundles; the usual rules when None.
        texts: resolved path of a bundle → the text that is used instead of the file's, such as the text in an editor.

    Raises:
        PipelexError: a target cannot be read or holds no bundle (`method.not_found`), or is too large
            (`method.package_invalid`). There is no verdict then. An author's mistakes do not raise; they are in the
            verdict.
    """
    loaded = _loaded(load_paths(paths, library_dirs=library_dirs, rules=rules, texts=texts), check_model)
    tree = loaded.tree
    domains = {bundle.path: bundle.blueprint.domain for bundle in loaded.files.targets if bundle.blueprint is not None}
    folder = "" if tree.root is None else display_path(tree.root)
    return replace(loaded, verdict=with_siblings(loaded.verdict, tree, domains, folder))


@comparing_few_names
def load_library_files(
    files: Mapping[str, str | bytes], *, check_model: CheckModel | None = None, rules: TreeRules | None = None
) -> LoadedLibrary:
    """Load like `load_library`, for a method that comes as tree path → content."""
    return _loaded(load_files(files, rules=rules), check_model)


def _loaded(files: LoadedFiles, check_model: CheckModel | None) -> LoadedLibrary:
    linked = with_files(link((), packages=files.packages), files.trees)
    verdict = validate(linked, trees=files.trees, check_model=check_model)
    is_empty = all(bundle.blueprint is None for bundle in files.packages[0].bundles)
    return LoadedLibrary(None if is_empty else linked.library, verdict, tuple(_entries(files, linked)), files, linked)


def _entries(files: LoadedFiles, linked: LinkedBundles) -> list[str]:
    found: dict[str, None] = {}
    codes: dict[str, None] = {}
    for bundle in files.targets:
        blueprint = bundle.blueprint
        if blueprint is None:
            continue
        codes.update({f"{blueprint.domain}.{code}": None for code in blueprint.pipes})
        if blueprint.main_pipe is not None:
            found[f"{blueprint.domain}.{blueprint.main_pipe}"] = None
    manifest = files.manifest
    if manifest is not None and manifest.main_pipe is not None:
        named = [ref for ref in codes if ref.rpartition(".")[2] == manifest.main_pipe]
        # A single file with a main pipe means that pipe; a whole package means the manifest's main pipe.
        if named and (len(files.targets) > 1 or not found):
            preferred = [ref for ref in named if ref in found] or named
            return [ref for ref in preferred if ref in linked.crate.pipes]
    if not found and len(codes) == 1:  # the only pipe need not be named
        found = codes
    return [ref for ref in found if ref in linked.crate.pipes]


def _unspecified(entries: tuple[str, ...], pipes: tuple[str, ...] = ()) -> PipelexError:
    candidates = entries or pipes
    shown = ", ".join(candidates[:8]) + (", …" if len(candidates) > 8 else "")
    if entries:
        why = f"there are {len(entries)} main pipes: {shown}"
    else:
        why = "the method has no main pipe" + (f"; its pipes are {shown}" if shown else "")
    return PipelexError(
        "request.pipe_unspecified",
        f"no pipe is named, and {why}",
        category=ErrorCategory.CONTENT,
        params={"candidates": list(candidates)},
        advice="Name a pipe, or declare 'main_pipe' in the bundle.",
    )

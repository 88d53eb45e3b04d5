"""The method trees that a process holds, by digest; functions and document templates are read from them.

Source: section 12.3 of the language reference. A tree is never sent to another process. A request names the file it
needs by the digests of the tree and of the file, and is refused when either differs on this machine.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.errors.folders import hide_folders
from pipelex.library import MethodTree, TreeRules, walk_tree
from pipelex.library.packages import MANIFEST_NAME, read_manifest
from pipelex.pipes.effects.requests import TreeFile

_Stamp = tuple[tuple[str, int, int], ...]


class MethodTrees:
    """Method trees by digest.

    Args:
        trees: the trees to start with.
        rules: the limits of a folder, and the folders that are not searched for bundles; the default rules when None.
    """

    def __init__(self, trees: Iterable[MethodTree] = (), rules: TreeRules | None = None) -> None:
        self._rules = rules or TreeRules()
        self._trees: list[MethodTree] = []
        self._digests: dict[int, tuple[_Stamp, str]] = {}
        self.add(*trees)

    def add(self, *trees: MethodTree) -> None:
        """Add trees; a tree that is already held is not added again."""
        for tree in trees:
            if tree not in self._trees:
                self._trees.append(tree)

    def add_folder(self, folder: Path) -> None:
        """Add the tree of a folder (or of a file's folder), the trees of the packages in it, and one for each lone bundle."""
        hide_folders([folder])
        waiting = [folder if folder.is_dir() else folder.parent]
        while waiting:
            root = waiting.pop()
            manifest_file = root / MANIFEST_NAME
            is_package = manifest_file.is_file()
            exclude: tuple[str, ...] = ()
            if is_package:
                manifest, _ = read_manifest(manifest_file.read_bytes(), path=str(manifest_file))
                exclude = manifest.exclude if manifest is not None else ()
            tree = walk_tree(root, exclude, self._rules)
            self.add(tree)
            waiting.extend(tree.nested)
            if not is_package:
                bundles = [root / name for name in self._rules.bundles(tree)]
                self.add(*(MethodTree(file.parent, {file.name: file}, is_lone=True) for file in bundles))

    def find(self, file: TreeFile | None, what: str) -> tuple[MethodTree, bytes]:
        """The tree that a file belongs to, and the file's content; both have the digests that the request names.

        Args:
            file: the file; None when the method was loaded without its tree.
            what: who needs it, for messages.

        Raises:
            PipelexError: `runtime.unsupported`: this process holds no such tree; `security.integrity_mismatch`: the
                file has another content here.
        """
        tree = (
            None if file is None else next((known for known in self._trees if self._digest(known) == file.tree), None)
        )
        if file is None or tree is None:
            raise PipelexError(
                "runtime.unsupported",
                f"{what} needs the folder of its method{_in_state(file)}, which this process does not hold in that "
                "state",
                category=ErrorCategory.CONFIGURATION,
                params={"capability": "method_tree"},
                advice="Start the worker with --library and the method's folder, with the same files as where the run started.",
            )
        content = tree.read(file.path)
        if content is None or hashlib.sha256(content).hexdigest() != file.sha256:
            raise PipelexError(
                "security.integrity_mismatch",
                f"'{file.path}', which {what} needs, is not the same file here as where the run was started",
                category=ErrorCategory.CONFIGURATION,
                params={"dependency": file.path},
                advice="Give this worker the method's folder as the run has it, or start the run again.",
            )
        return tree, content

    def _digest(self, tree: MethodTree) -> str | None:
        """The digest of a tree's current files, read again only if a size or a time changed; None if they cannot be read."""
        try:
            stamp = _stamp(tree)
            known = self._digests.get(id(tree))
            if known is None or known[0] != stamp:
                known = (stamp, replace(tree).digest)
                self._digests[id(tree)] = known
        except (OSError, PipelexError):
            return None
        return known[1]


def _in_state(file: TreeFile | None) -> str:
    return "" if file is None else f" ({file.tree[:19]})"


def _stamp(tree: MethodTree) -> _Stamp:
    found: list[tuple[str, int, int]] = []
    for path, file in tree.files.items():
        if isinstance(file, Path):
            state = file.stat()
            found.append((path, state.st_size, state.st_mtime_ns))
    return tuple(found)

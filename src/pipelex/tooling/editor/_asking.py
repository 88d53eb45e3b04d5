"""Answers questions about the symbol at a place: its description, declarations, references, and renaming."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pipelex.language.references import CONCEPT_CODE_PATTERN, PIPE_CODE_PATTERN
from pipelex.tooling.editor._complete import key_text
from pipelex.tooling.editor._describe import described
from pipelex.tooling.editor._group import OpenFile, OpenMethod
from pipelex.tooling.editor._occurrences import Occurrence, SameNames, Symbol, occurrences
from pipelex.tooling.editor._sketch import sketch

_PATTERNS: Final[dict[str, tuple[re.Pattern[str], str]]] = {
    "concept": (CONCEPT_CODE_PATTERN, "PascalCase: a capital, then letters and digits"),
    "pipe": (PIPE_CODE_PATTERN, "snake_case: lower-case letters, digits and '_'"),
    "name": (PIPE_CODE_PATTERN, "snake_case: lower-case letters, digits and '_'"),
    "field": (re.compile(r"[A-Za-z]\w*"), "an identifier that does not start with '_'"),
}


@dataclass(frozen=True)
class TextChange:
    """A replacement of a part of a file's text."""

    file: str
    start: int
    end: int
    text: str


class AskedPlace:
    """Answers questions about one place of a file."""

    def __init__(self, group: OpenMethod, file: OpenFile, offset: int) -> None:
        self._group = group
        self._file = file
        self._offset = offset
        self._all = occurrences(group)
        self._same = SameNames(group)
        # If a field and a name are at the same place, the name is meant.
        here = [each for each in self._all if each.file == file.path and each.start <= offset <= each.end]
        self.here = min(here, key=lambda each: (each.end - each.start, each.symbol.kind == "field"), default=None)

    def hover(self) -> tuple[str, int, int] | None:
        """The description of the symbol at the place, in Markdown, and the symbol's range; None if there is none."""
        if self.here is not None:
            text = described(self._group, self.here.symbol)
            if text is not None:
                return text, self.here.start, self.here.end
        name = self._file.sketch.name_at(self._offset)
        text = "" if name is None else key_text(self._file, name.path)
        return None if name is None or not text else (f"**{name.path[-1]}**: {text}", name.start, name.end)

    def definitions(self) -> list[Occurrence]:
        """The declarations of the symbol at the place. A name that pipes pass on is declared in each of them."""
        if self.here is None:
            return []
        own = [each for each in self._all if each.is_declaration and each.symbol == self.here.symbol]
        first = {each.file: each for each in reversed(own)}
        return list(first.values())

    def references(self, *, with_declarations: bool = True) -> list[Occurrence]:
        """Every occurrence of the symbol at the place."""
        if self.here is None:
            return []
        one = self._same.one(self.here.symbol)
        found = [each for each in self._all if self._same.one(each.symbol) == one]
        found = [each for each in found if with_declarations or not each.is_declaration]
        return sorted(
            {(each.file, each.start): each for each in found}.values(), key=lambda each: (each.file, each.start)
        )

    @property
    def is_renamable(self) -> bool:
        """Whether the method itself declares the symbol at the place."""
        return self.here is not None and not self.here.symbol.is_native and self._is_declared(self.here.symbol)

    def _is_declared(self, symbol: Symbol) -> bool:
        one = self._same.one(symbol)
        return any(each.is_declaration and self._same.one(each.symbol) == one for each in self._all)

    def rename(self, name: str, manifests: dict[Path, str] | None = None) -> list[TextChange]:
        """The changes that rename the symbol at the place in every file.

        Args:
            name: the new name.
            manifests: path → text of the manifests that may name a pipe of the method.

        Raises:
            ValueError: the method does not declare the symbol, or the name is invalid or taken; the message says why.
        """
        if self.here is None or not self.is_renamable:
            raise ValueError("nothing that this method declares is here")
        symbol = self.here.symbol
        pattern, form = _PATTERNS[symbol.kind]
        if pattern.fullmatch(name) is None:
            raise ValueError(f"'{name}' is not the name of a {symbol.kind}: it is {form}")
        places = self.references()
        taken = {each.symbol for each in self._all if each.is_declaration}
        for other in {replace(each.symbol, name=name) for each in places}:
            if other in taken:
                raise ValueError(f"'{name}' is taken already in '{other.owner}'")
        edits = [TextChange(each.file, each.start, each.end, name) for each in places]
        if symbol.kind == "pipe":
            for path, text in (manifests or {}).items():
                edits += _manifest_edits(str(path), text, symbol, name)
        return edits


def ask(group: OpenMethod, file: OpenFile, offset: int) -> AskedPlace:
    """The place of a file, for questions about it."""
    return AskedPlace(group, file, offset)


def _manifest_edits(path: str, text: str, symbol: Symbol, name: str) -> list[TextChange]:
    """The changes of a manifest that names the pipe as its main pipe or as an export."""
    found = sketch(text)
    edits: list[TextChange] = []
    for value in found.values:
        match value.path:
            case ("package", "main_pipe"):
                is_meant = True
            case ("exports", *domain, "pipes", int()):
                is_meant = ".".join(map(str, domain)) == symbol.owner
            case _:
                continue
        if is_meant and value.kind == "string" and found.inner(value) == symbol.name:
            edits.append(TextChange(path, value.inner_start, value.inner_end, name))
    return edits

"""Run-time inputs: turns the values that a caller passes into stuffs that fit the slots of a pipe.

Source: MTHDS 8.0.0, section 10 of the language reference.
"""

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, Protocol

from pipelex.content._csv import read_csv, write_csv
from pipelex.content._light import LightReader
from pipelex.content.files.inputs_file import load_inputs_file
from pipelex.content.files.local import FileRefused, LocalFiles, local_file
from pipelex.content.structure import (
    LIGHT_FIELDS,
    AnyShape,
    ContentError,
    ObjectShape,
    Shape,
    describe,
    validate,
)
from pipelex.content.stuff import Stuff
from pipelex.errors import Fault, InputError, Location, comparing_few_names, listed, near_names
from pipelex.errors.bounds import MOST_FAULTS, clipped
from pipelex.errors.json import Json, exactly, maybe
from pipelex.errors.surrogates import is_encodable

__all__ = [
    "ConceptView",
    "InputSlot",
    "PlacedInputs",
    "UnresolvedConcept",
    "load_inputs_file",
    "not_an_input",
    "one_error",
    "read_inputs",
    "write_csv",
]

_NO_PARAMS: Final[Mapping[str, Json]] = {}
_MOST_NAMED: Final = 8
"""The most declared inputs that a message names."""
_ENVELOPE_MEMBERS: Final = frozenset({"concept", "content", "is_list", "stuff_code", "stuff_name"})


@dataclass(frozen=True, slots=True)
class InputSlot:
    """The input of a pipe under one name."""

    concept: str
    """The concept with its domain."""
    is_list: bool = False
    count: int | None = None
    presence: Literal["plain", "optional", "forced"] = "plain"


class UnresolvedConcept(LookupError):
    """An input names a concept that is unknown or ambiguous."""

    def __init__(self, message: str, suggestions: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.suggestions = tuple(suggestions)


class ConceptView(Protocol):
    """The part of the library that reading inputs needs."""

    def shape(self, ref: str) -> Shape:
        """The shape of a domain-qualified concept."""
        ...

    def native_base(self, ref: str) -> str | None:
        """The code of the native concept that a concept is or refines; None for an author's own structure."""
        ...

    def is_compatible(self, given: str, expected: str) -> bool:
        """Whether a value of the concept `given` may be used where `expected` is wanted."""
        ...

    def resolve(self, text: str) -> str:
        """The domain-qualified reference that a full reference or a bare code stands for.

        Raises:
            UnresolvedConcept: no concept has that name, or several have.
        """
        ...


class PlacedInputs(dict[str, Json]):
    """Raw inputs from several places. Each has its own folder, from which its relative paths start."""

    def __init__(self) -> None:
        super().__init__()
        self.folders: dict[str, Path] = {}

    def put(self, name: str, value: Json, folder: Path) -> None:
        """Add an input, or replace its value."""
        self[name] = value
        self.folders[name] = folder


@comparing_few_names
def read_inputs(
    raw: Mapping[str, Json],
    slots: Mapping[str, InputSlot],
    *,
    base_dir: Path | None,
    concepts: ConceptView,
    root: Path | None = None,
    has: Container[str] = (),
) -> dict[str, Stuff]:
    """Read a run's inputs as their declared slots say.

    Args:
        raw: input name → bare value, `{concept, content}` envelope, or list of these.
        slots: the pipe's declared inputs.
        base_dir: the folder that relative file paths start from; None if no local files may be read.
        concepts: the library's view of concepts.
        root: the only folder whose files may be named; None allows any file that the user may read.
        has: the inputs that need not be given, since the run has values for them.

    Returns:
        A stuff for each given input, in declared order; an optional input that is left out has none.

    Raises:
        InputError: something does not fit. Its code and location are those of the first fault; `report.faults`
            has each fault as a `Fault`, and the number of the others if there are very many.
    """
    faults = _unexpected(raw, slots)
    files = None if base_dir is None else LocalFiles(base_dir, root)
    found: dict[str, Stuff] = {}
    for name, slot in slots.items():
        if name not in raw:
            if slot.presence != "optional" and name not in has:
                faults.append(_fault("input.missing", f"the input '{name}' ({_written(slot)}) is missing", name))
            continue
        reader = _InputReader(name, slot, _files_for(name, raw, files), concepts)
        try:
            found[name] = reader.read(raw[name])
        except _InputRefused as refused:
            faults += refused.faults
    if faults:
        raise one_error(faults)
    return found


def expanded(shape: Shape, value: Json) -> Json:
    """The value with the bare values of native concepts expanded to their content form, at any depth."""
    return LightReader(None).expand(shape, value, "")


def one_error(faults: list[Fault]) -> InputError:
    """One exception for all faults of a run's inputs. Its message is that of the first.

    Its `faults` are the first `MOST_FAULTS`; if there are more, the last one tells their number.
    """
    first, unnamed = faults[0], len(faults) - MOST_FAULTS
    named = faults if unnamed <= 0 else [*faults[:MOST_FAULTS], Fault(first.code, f"{unnamed:,} more faults")]
    others = len(faults) - 1
    more = f" (and {others} more fault{'' if others == 1 else 's'})" if others else ""
    error = InputError(first.code, first.detail + more, input=first.location.input)
    advice = f"Did you mean {' or '.join(first.suggestions)}?" if first.suggestions else None
    return error.with_report(params=first.params, location=first.location, faults=tuple(named), advice=advice)


def _files_for(name: str, raw: Mapping[str, Json], files: LocalFiles | None) -> LocalFiles | None:
    if files is None or not isinstance(raw, PlacedInputs) or name not in raw.folders:
        return files
    return replace(files, base_dir=raw.folders[name])


class _InputRefused(Exception):
    def __init__(self, faults: list[Fault]) -> None:
        super().__init__()
        self.faults = faults


def _fault(
    code: str, detail: str, name: str, params: Mapping[str, Json] = _NO_PARAMS, suggestions: tuple[str, ...] = ()
) -> Fault:
    location = Location(input=name, field=maybe(params.get("field"), str) or None)
    return Fault(code, detail, location, params={"input": name, **params}, suggestions=suggestions)


def _unexpected(raw: Collection[str], slots: Mapping[str, InputSlot]) -> list[Fault]:
    faults: list[Fault] = []
    lacking = [name for name in slots if name not in raw]
    for name in raw:
        if name in slots:
            continue
        shown, near = clipped(name), near_names(name, lacking)
        faults.append(_fault("input.unexpected", not_an_input(shown, slots, near), shown, suggestions=near))
    return faults


def not_an_input(name: str, declared: Collection[str], near: Sequence[str] = ()) -> str:
    """What is wrong with an input that a pipe does not declare: its name, what may have been meant, and what there is.

    Args:
        name: the name that was given.
        declared: the names of the pipe's inputs.
        near: the declared names that resemble the given one.
    """
    if not declared:
        return f"'{name}' is not an input: the pipe takes no inputs"
    names = listed(declared, _MOST_NAMED)
    known = f"only declared input is {names}" if len(declared) == 1 else f"declared inputs are {names}"
    meant = f"; did you mean '{near[0]}'? The" if near else ": the"
    return f"'{name}' is not an input{meant} {known}"


def _written(slot: InputSlot) -> str:
    if slot.is_list:
        return f"{slot.concept}[{'' if slot.count is None else slot.count}]"
    return slot.concept


class _InputReader:
    """Reads the value of one input."""

    def __init__(self, name: str, slot: InputSlot, files: LocalFiles | None, concepts: ConceptView) -> None:
        self._name = name
        self._slot = slot
        self._files = files
        self._concepts = concepts

    def read(self, value: Json) -> Stuff:
        if value is None:
            raise self._refused("input.invalid", f"the input '{self._name}' is null: leave it out instead", field="")
        if not self._slot.is_list:
            return self._single(value)
        concept, items = self._items(value)
        if self._slot.count is not None and len(items) != self._slot.count:
            raise self._wrong_count(len(items))
        stuffs: list[Stuff] = []
        faults: list[Fault] = []
        for rank, item in enumerate(items):
            try:
                stuffs.append(self._one(item, concept, f"{self._name}[{rank}]"))
            except _InputRefused as refused:
                faults += refused.faults
        if faults:
            raise _InputRefused(faults)
        given = {stuff.concept: None for stuff in stuffs}
        # The envelopes of items may name more specific concepts, but a list has one concept for all its items.
        common = next(iter(given)) if len(given) == 1 else concept
        return Stuff.of_list(common, [stuff.content for stuff in stuffs])

    # --- one value or several -----------------------------------------------------------------------------------------

    def _single(self, value: Json) -> Stuff:
        items = self._bare_items(value, self._slot.concept)
        envelope = self._envelope(value, self._slot.concept)
        if items is None and envelope is not None:
            items = self._bare_items(envelope["content"], self._slot.concept)
        if items is not None:
            raise self._wrong_count(len(items))
        return self._one(value, self._slot.concept, self._name)

    def _items(self, value: Json) -> tuple[str, list[Json]]:
        """The concept to read the items of a list as, and the items."""
        concept = self._slot.concept
        envelope = self._envelope(value, concept)
        if envelope is not None:
            items = self._bare_items(envelope["content"], concept)
            if items is None:
                return concept, [value]
            return self._envelope_concept(envelope, concept), items
        items = self._bare_items(value, concept)
        if items is not None:
            return concept, items
        if isinstance(value, str) and value.lower().endswith(".csv"):
            shape = self._concepts.shape(concept)
            if isinstance(shape, ObjectShape) and shape.native is None and shape.is_flat:
                return concept, self._table(value, shape)
        return concept, [value]

    def _bare_items(self, value: Json, concept: str) -> list[Json] | None:
        if isinstance(value, list | tuple):
            return list(value)
        if not isinstance(value, Mapping):
            return None
        items = value.get("items")
        if len(value) != 1 or not isinstance(items, list) or self._may_hold_items(concept):
            return None
        return list(items)

    def _may_hold_items(self, concept: str) -> bool:
        """Whether `{"items": [...]}` can be a single value of the concept rather than the wire form of a list."""
        shape = self._concepts.shape(concept)
        if isinstance(shape, ObjectShape) and shape.native != "JSON":
            return shape.field("items") is not None
        return not self._slot.is_list

    def _table(self, text: str, shape: ObjectShape) -> list[Json]:
        try:
            return read_csv(local_file(text, self._files, file_type="csv"), shape)
        except FileRefused as refused:
            raise self._refused(refused.code, f"the input '{self._name}': {refused}", **refused.params) from None
        except ContentError as error:
            raise _InputRefused(
                [
                    _fault(
                        "input.invalid", f"the input '{self._name}': {place} {message}", self._name, {"field": place}
                    )
                    for place, message in error.faults
                ]
            ) from None

    def _wrong_count(self, count: int) -> _InputRefused:
        slot = self._slot
        params: dict[str, Json] = {"provided_count": count}
        if not slot.is_list:
            params |= {"expected": "single", "expected_count": 1}
            wanted = f"one {slot.concept}, not a list"
        elif slot.count is None:
            params["expected"] = "list"
            wanted = f"a list of {slot.concept}"
        else:
            params |= {"expected": "count", "expected_count": slot.count}
            wanted = f"exactly {slot.count} values of {slot.concept}; {count} {'is' if count == 1 else 'are'} given"
        return self._refused("input.wrong_multiplicity", f"the input '{self._name}' takes {wanted}", **params)

    # --- one value ----------------------------------------------------------------------------------------------------

    def _one(self, value: Json, concept: str, where: str) -> Stuff:
        content, envelope = value, self._envelope(value, concept)
        if envelope is not None:
            concept = self._envelope_concept(envelope, concept)
            content = envelope["content"]
        if content is None:
            raise self._refused("input.invalid", f"{where} is null", field=_inner(where, self._name))
        native = self._concepts.native_base(concept)
        if native == "Dynamic":
            concept, native = self._dynamic(content, where)
        shape = self._concepts.shape(concept)
        if isinstance(shape, AnyShape) and isinstance(content, list | tuple):
            raise self._refused("input.wrong_multiplicity", f"{where} takes one value, not a list", expected="single")
        if not is_encodable(content):
            why = "holds half of a surrogate pair (U+D800 to U+DFFF), which is not a character"
            raise self._refused("input.invalid", f"{where} {why}", field=_inner(where, self._name))
        light = LightReader(self._files)
        expanded = light.expand(shape, content, where)
        if light.refused:
            raise _InputRefused([self._file_fault(place, refused) for place, refused in light.refused])
        if native is not None and native not in LIGHT_FIELDS and isinstance(content, str) and shape != AnyShape():
            raise self._refused(
                "input.wrong_concept",
                f"{where} takes a {concept}, but a bare text is a Text: give an object with its fields",
                expected=concept,
                provided="native.Text",
            )
        try:
            return Stuff(concept, validate(shape, expanded, where=where))
        except ContentError as error:
            bare = "" if isinstance(content, Mapping) else f"{where}.{LIGHT_FIELDS.get(native or '')}"
            raise _InputRefused(
                [
                    _fault("input.invalid", f"{place} {message}", self._name, {"field": _inner(place, self._name)})
                    for place, message in ((where if place == bare else place, said) for place, said in error.faults)
                ]
            ) from None

    def _dynamic(self, content: Json, where: str) -> tuple[str, str]:
        if isinstance(content, str):
            return "native.Text", "Text"
        raise self._refused(
            "input.wrong_concept",
            f"{where} may be of any concept: say which with {{concept = …, content = …}}",
            expected="native.Dynamic",
            provided=describe(content),
        )

    def _file_fault(self, place: str, refused: FileRefused) -> Fault:
        return _fault(refused.code, f"{place}: {refused}", self._name, refused.params)

    # --- envelopes ----------------------------------------------------------------------------------------------------

    def _envelope(self, value: Json, concept: str) -> Mapping[str, Json] | None:
        """The value if it is an envelope `{concept, content}`; None if it is a content."""
        if not isinstance(value, Mapping) or "content" not in value or not value.keys() <= _ENVELOPE_MEMBERS:
            return None
        named = value.get("concept")
        if not isinstance(named, str):
            return None
        shape = self._concepts.shape(concept)
        if not isinstance(shape, ObjectShape) or shape.field("concept") is None:
            return value
        # The declared structure has its own field called `concept`.
        try:
            is_compatible = self._concepts.is_compatible(self._concepts.resolve(named), concept)
        except UnresolvedConcept:
            return None
        return value if is_compatible else None

    def _envelope_concept(self, value: Mapping[str, Json], expected: str) -> str:
        text = exactly(value["concept"], str)
        try:
            given = self._concepts.resolve(text)
        except UnresolvedConcept as error:
            raise _InputRefused(
                [
                    _fault(
                        "input.wrong_concept",
                        f"the input '{self._name}': {error}",
                        self._name,
                        {"expected": expected, "provided": text},
                        error.suggestions,
                    )
                ]
            ) from None
        is_open = self._concepts.native_base(expected) in ("Anything", "Dynamic")
        if not is_open and not self._concepts.is_compatible(given, expected):
            raise self._refused(
                "input.wrong_concept",
                f"the input '{self._name}' takes a {expected}, not a {given}",
                expected=expected,
                provided=given,
            )
        return given

    def _refused(self, code: str, detail: str, **params: Json) -> _InputRefused:
        return _InputRefused([_fault(code, detail, self._name, params)])


def _inner(place: str, name: str) -> str:
    """The path inside the input: `berth.depth_m` → `depth_m`."""
    return place.removeprefix(name).removeprefix(".")

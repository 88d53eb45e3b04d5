"""Wraps contents for templates, which read their fields and print them as their shapes say."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from types import GeneratorType
from typing import Any, Final, Literal, Protocol, cast

from jinja2 import Undefined
from markupsafe import Markup

from pipelex.content.render import bare_text, render_content
from pipelex.content.structure import AnyShape, ListShape, ObjectShape, ScalarShape, Shape, describe, open_parts
from pipelex.content.stuff import Json, Stuff
from pipelex.templating._budget import STATE, RenderState, TextFormat, Weighable, fail, weigh
from pipelex.templating._missing import Null, Shaped

METADATA: Final = frozenset({"_stuff_name", "_content_class", "_concept_code", "_stuff_code"})

MISSING: Final = object()

_FILES: Final = ("Image", "Document")


class ShapeView(Protocol):
    """The part of the library that rendering needs."""

    def shape(self, ref: str) -> Shape:
        """The shape of a domain-qualified concept."""
        ...


class IsoText(str):
    """A date, a date-time or a time inside a template: its ISO text, with its parts as attributes."""

    __slots__ = ("_parsed",)

    _parsed: date | time

    @classmethod
    def read(cls, kind: Literal["date", "datetime", "time"], text: str) -> "IsoText | str":
        classes: dict[str, type[date | datetime | time]] = {"date": date, "datetime": datetime, "time": time}
        try:
            parsed = classes[kind].fromisoformat(text)
        except ValueError:
            return text
        found = cls(text)
        found._parsed = parsed
        return found

    def part(self, name: str) -> object:
        """The `year`, `month`, `day`, `hour`, `minute` or `second`; `MISSING` if there is no such part."""
        return getattr(self._parsed, name, MISSING)

    def strftime(self, pattern: str) -> str:
        return self._parsed.strftime(pattern)

    def isoformat(self) -> str:
        return str(self)

    def weekday(self) -> int:
        return self._day().weekday()

    def isoweekday(self) -> int:
        return self._day().isoweekday()

    def _day(self) -> date:
        if not isinstance(self._parsed, date):
            raise TypeError("a time of day has no weekday")
        return self._parsed


class Value(Weighable, Shaped):
    """A content inside a template.

    Templates can only access it through the environment, so it has no public methods.
    """

    __slots__ = ("template_concept", "template_content", "template_name", "template_shape")

    def __init__(self, shape: Shape, content: Json, name: str, concept: str) -> None:
        self.template_shape = shape
        self.template_content = content
        self.template_name = name
        self.template_concept = concept

    def template_metadata(self, name: str) -> str:
        code = self.template_concept.rpartition(".")[2]
        return {
            "_stuff_name": self.template_name,
            "_stuff_code": self.template_name,
            "_concept_code": code,
            "_content_class": "ListContent" if isinstance(self, ListValue) else f"{code}Content",
        }[name]

    def template_field(self, name: str) -> Any:
        raise NotImplementedError

    def __str__(self) -> str:
        return as_text(self)

    __repr__ = __str__


class ObjectValue(Value):
    """A single content: an object of known fields, or an open one."""

    __slots__ = ()

    def template_field(self, name: str) -> Any:
        shape = self.template_shape
        content = cast("Mapping[str, Json]", self.template_content)
        if isinstance(shape, ObjectShape):
            field = shape.field(name)
            if field is None:
                return MISSING
            inner = field.shape
        elif name in content:
            inner = AnyShape()
        else:
            return MISSING
        found = content.get(name)
        return Null(inner, f"{self.template_name}.{name}") if found is None else wrap(inner, found, name)

    @property
    def _native(self) -> str | None:
        return self.template_shape.native if isinstance(self.template_shape, ObjectShape) else None

    def _text(self) -> str | None:
        return bare_text(self._native, self.template_content)

    def _sequence(self) -> Any:
        """The object that indexing, iterating and `length` apply to."""
        if self._native == "JSON":
            return self.template_content.get("json_obj", {})
        text = self._text()
        return self.template_content if text is None else text

    def _comparable(self, other: object) -> tuple[Any, Any]:
        if isinstance(other, ObjectValue):
            number, other_number = bare(self), bare(other)
            if isinstance(number, int | float) and isinstance(other_number, int | float):
                return number, other_number
            text, other_text = self._text(), other._text()
            if text is None or other_text is None:
                return self.template_content, other.template_content
            return text, other_text
        if isinstance(other, str):
            return self._text(), other
        if isinstance(other, int | float):
            plain = bare(self)
            return (self.template_content if plain is self else plain), other
        return self.template_content, other

    def __eq__(self, other: object) -> bool:
        mine, theirs = self._comparable(other)
        return bool(mine == theirs)

    def _ordered(self, other: object) -> tuple[Any, Any]:
        mine, theirs = self._comparable(other)
        if mine is self.template_content and not isinstance(other, Undefined):
            fail(f"{in_words(self)} and {in_words(other)} have no order: compare one of the fields")
        return mine, theirs

    def __lt__(self, other: object) -> bool:
        mine, theirs = self._ordered(other)
        return mine < theirs

    def __le__(self, other: object) -> bool:
        mine, theirs = self._ordered(other)
        return mine <= theirs

    def __gt__(self, other: object) -> bool:
        mine, theirs = self._ordered(other)
        return mine > theirs

    def __ge__(self, other: object) -> bool:
        mine, theirs = self._ordered(other)
        return mine >= theirs

    def __hash__(self) -> int:
        plain = bare(self)
        return hash(self.template_concept) if plain is self else hash(plain)

    def __bool__(self) -> bool:
        # Truth means presence, for guards of optional inputs, so a No and an empty text are true.
        return True

    def __len__(self) -> int:
        return len(self._sequence())

    def __iter__(self) -> Iterator[Any]:
        found = self._sequence()
        if isinstance(found, str):
            raise TypeError(f"a single {self.template_concept} is not a list")
        return iter(found)

    def __contains__(self, item: object) -> bool:
        return as_text(item) in self._sequence() if isinstance(item, Value | str) else False

    def __getitem__(self, key: Any) -> Any:
        return self._sequence()[key]


class ListValue(Value):
    """Several contents of one shape."""

    __slots__ = ()

    def _wrapped(self, item: Json) -> Any:
        assert isinstance(self.template_shape, ListShape)
        return wrap(self.template_shape.items, item, self.template_name, self.template_concept)

    def template_field(self, name: str) -> Any:
        return self if name == "items" else MISSING

    def __len__(self) -> int:
        return len(self.template_content)

    def __iter__(self) -> Iterator[Any]:
        return (self._wrapped(item) for item in self.template_content)

    def __reversed__(self) -> Iterator[Any]:
        return (self._wrapped(item) for item in reversed(self.template_content))

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return ListValue(self.template_shape, self.template_content[key], self.template_name, self.template_concept)
        return self._wrapped(self.template_content[key])

    def __contains__(self, item: object) -> bool:
        return any(mine == item for mine in self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ListValue):
            return self.template_content == other.template_content
        return isinstance(other, list) and list(self) == other

    __hash__ = None  # type: ignore[assignment]


def wrap(shape: Shape, content: Json, name: str, concept: str | None = None) -> Any:
    """A content, or a part of one, as a template sees it: simple values are plain, and the others a `Value`."""
    if content is None:
        return Null(shape, name)
    if isinstance(shape, ObjectShape) and isinstance(content, Mapping):
        return ObjectValue(shape, content, name, concept or shape.concept)
    if isinstance(shape, ListShape) and isinstance(content, list):
        items = content
        if isinstance(shape.items, ObjectShape | ListShape):
            inner = shape.items.concept if isinstance(shape.items, ObjectShape) else "native.Anything"
            return ListValue(shape, items, name, concept or inner)
        return [wrap(shape.items, item, name) for item in items] if _is_moment(shape.items) else items
    if isinstance(shape, ScalarShape) and shape.kind in ("date", "datetime", "time") and isinstance(content, str):
        return IsoText.read(shape.kind, content)
    return open_parts(shape, content)


def _is_moment(shape: Shape) -> bool:
    return isinstance(shape, ScalarShape) and shape.kind in ("date", "datetime", "time")


def is_object(content: Json) -> bool:
    return isinstance(content, Mapping)


def wrap_stuff(name: str, stuff: Stuff, concepts: ShapeView) -> Any:
    """An input as a template sees it."""
    shape = concepts.shape(stuff.concept)
    if stuff.is_list:
        return ListValue(ListShape(shape), stuff.items, name, stuff.concept)
    if is_object(stuff.content):
        return ObjectValue(shape, open_parts(shape, stuff.content), name, stuff.concept)
    return wrap(shape, stuff.content, name, stuff.concept)


def bare(value: Any) -> Any:
    """The simple value that a native content stands for, for filters and operators; any other value is unchanged."""
    if not isinstance(value, ObjectValue):
        return value
    content = cast("Mapping[str, Json]", value.template_content)
    shape = value.template_shape
    native = shape.native if isinstance(shape, ObjectShape) else None
    member = {"Number": "number", "YesNo": "yes_no", "Rating": "level"}.get(native or "")
    if member is not None and member in content:
        found = content[member]
        return int(found) if isinstance(found, float) and found.is_integer() and abs(found) < 1e15 else found
    text = bare_text(native, content)
    if text is None:
        return value
    if native in ("Date", "Time") and (native == "Time" or "time" not in content):
        return IsoText.read("date" if native == "Date" else "time", text)
    return text


def unwrapped(value: object) -> Json:
    """A value of a template as plain JSON."""
    if isinstance(value, Value):
        return value.template_content
    if isinstance(value, list | tuple):
        return [unwrapped(item) for item in cast("Sequence[object]", value)]
    if isinstance(value, dict):
        return {str(key): unwrapped(item) for key, item in cast("dict[object, object]", value).items()}
    if value is None or isinstance(value, str | int | float):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, Undefined):
        return None
    return fail(f"a {type(value).__name__} is not a value a template can write")


def as_text(value: object) -> str:
    """The text of any value of a template, as `{{ }}` prints it.

    Raises:
        PipelexError: the value has no text: a macro, a method, an object of the template language.
    """
    if isinstance(value, str):
        return str(value) if isinstance(value, IsoText) else value
    if value is None:
        return ""
    if isinstance(value, bool | int | float | Undefined):
        return str(value)
    if isinstance(value, Value):
        return present(value, "plain")
    state = STATE.get()
    if isinstance(value, GeneratorType | map | filter | range) or hasattr(value, "__next__"):
        value = drain(cast("Iterator[object]", value), state)
    if isinstance(value, list | tuple | dict):
        state.write(weigh(cast("object", value), state), "writing a list")
        return render_content(AnyShape(), unwrapped(cast("object", value)))
    return fail(f"a {type(value).__name__} cannot be written; call it or read one of its members")


def in_words(value: object) -> str:
    """The kind of a value, for a message."""
    if isinstance(value, Undefined):
        return "nothing"
    if not isinstance(value, Value):
        return describe(value)
    code = value.template_concept.rpartition(".")[2]
    return f"a list of {code}" if isinstance(value, ListValue) else f"a {code}"


def drain(items: Iterator[object], state: RenderState) -> list[object]:
    """The items of an iterator, each charged to the budget."""
    found: list[object] = []
    for item in items:
        state.spend(1, "loop turns")
        found.append(item)
    return found


def present(value: object, text_format: TextFormat, *, is_explicit: bool = False, with_images: bool = False) -> str:
    """The text of a value in a format. If the template is a prompt, files are attached.

    Args:
        value: any value of a template.
        text_format: the format to write it in.
        is_explicit: whether the template itself named the format; `json` then also writes files as JSON.
        with_images: whether images inside the value are attached as well.
    """
    if not isinstance(value, Value):
        if text_format != "json" or (isinstance(value, Undefined) and not isinstance(value, Null)):
            return as_text(value)
        return render_content(AnyShape(), unwrapped(value), text_format="json")
    state = STATE.get()
    shape = value.template_shape
    native = _native_of(shape)
    is_file = native in _FILES
    if is_file and text_format == "json" and not is_explicit and state.is_prompt:
        text_format = "plain"
    attach = None
    if state.is_prompt and is_file:
        attach = state.attachments.token
    elif state.is_prompt and with_images:

        def attach_image(kind: str, content: Mapping[str, Json]) -> str | None:
            return state.attachments.token(kind, content) if kind == "Image" else None

        attach = attach_image
    text = render_content(shape, value.template_content, text_format=text_format, attach=attach)
    state.write(len(text), "writing a value")
    is_markup = state.is_html and (text_format == "html" or native == "Html")
    return Markup(text) if is_markup else text


def _native_of(shape: Shape) -> str | None:
    while isinstance(shape, ListShape):
        shape = shape.items
    return shape.native if isinstance(shape, ObjectShape) else None

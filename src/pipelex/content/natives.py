"""The native concepts, which are always available and need no declaration.

Source: MTHDS 8.0.0, section 3 of the language reference; `Markdown` is an extension of the reference runtime.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from pipelex.content.structure import (
    AnyShape,
    DictShape,
    FieldShape,
    ListShape,
    ObjectShape,
    ScalarKind,
    ScalarShape,
    Shape,
)


@dataclass(frozen=True, slots=True)
class NativeConcept:
    """A concept of the domain `native`."""

    code: str
    description: str
    shape: Shape
    refines: str | None = None
    """The code of the native concept that it refines."""

    @property
    def ref(self) -> str:
        return f"native.{self.code}"

    @property
    def is_structured(self) -> bool:
        """Whether the concept has fields; `Dynamic`, `Anything` and `Composite` have none."""
        return isinstance(self.shape, ObjectShape)


def _field(name: str, kind: ScalarKind, description: str, *, required: bool = False) -> FieldShape:
    return FieldShape(name, description, ScalarShape(kind), required)


def _probability(name: str, description: str) -> FieldShape:
    return FieldShape(name, description, ScalarShape("number", minimum=0, maximum=1))


def _native(
    code: str, description: str, *fields: FieldShape, together: tuple[tuple[str, ...], ...] = ()
) -> NativeConcept:
    shape = ObjectShape(f"native.{code}", description, fields, native=code, together=together)
    return NativeConcept(code, description, shape)


_PROBABILITIES: Final = DictShape(ScalarShape("number", minimum=0, maximum=1))

_TEXT: Final = _native("Text", "A text", _field("text", "text", "The text", required=True))

_IMAGE: Final = _native(
    "Image",
    "An image",
    _field("url", "url", "Where the image is: a URL, a data: URL or a storage URI", required=True),
    _field("public_url", "url", "An address at which anybody can see the image"),
    _field("source_prompt", "text", "The prompt the image was made from"),
    _field("source_negative_prompt", "text", "What the image was asked not to show"),
    _field("caption", "text", "What the image shows"),
    _field("mime_type", "text", "MIME type, for example image/png"),
    _field("filename", "text", "Name of the file"),
    FieldShape("width", "Width in pixels", ScalarShape("integer", minimum=1)),
    FieldShape("height", "Height in pixels", ScalarShape("integer", minimum=1)),
    together=(("width", "height"),),
)

_DOCUMENT: Final = _native(
    "Document",
    "A document",
    _field("url", "url", "Where the document is: a URL, a data: URL or a storage URI", required=True),
    _field("public_url", "url", "An address at which anybody can read the document"),
    _field("mime_type", "text", "MIME type, for example application/pdf"),
    _field("filename", "text", "Name of the file"),
    _field("title", "text", "Title of the document"),
    _field("snippet", "text", "A passage of the document that matters"),
)

_TEXT_AND_IMAGES: Final = _native(
    "TextAndImages",
    "A text with images",
    FieldShape("text", "The text", _TEXT.shape),
    FieldShape("images", "The images", ListShape(_IMAGE.shape)),
    _field("raw_html", "text", "The HTML the text was taken from"),
)

_CONCEPTS: Final = (
    _TEXT,
    _native("Number", "A number", _field("number", "number", "The number", required=True)),
    _native(
        "YesNo",
        "An answer to a yes/no question",
        _field("yes_no", "boolean", "True for yes, false for no", required=True),
        _probability("probability", "Probability of yes, from 0 to 1; leave out when unknown"),
    ),
    _native(
        "Choice",
        "One option out of several",
        _field("choice", "text", "Key of the chosen option", required=True),
        _probability("confidence", "Confidence in the choice, from 0 to 1; leave out when unknown"),
        FieldShape("probabilities", "Probability of each option, by its key; leave out when unknown", _PROBABILITIES),
    ),
    _native(
        "Rating",
        "A level on a scale",
        FieldShape("level", "The level, counted from 0, the lowest", ScalarShape("integer", minimum=0), required=True),
        _field("label", "text", "Label of the level"),
        _probability("confidence", "Confidence in the level, from 0 to 1; leave out when unknown"),
        FieldShape(
            "probabilities",
            "Probability of each level, by its number; leave out when unknown",
            replace(_PROBABILITIES, keys="integer"),
        ),
        _field("position", "number", "Position on the scale, between levels; leave out when unknown"),
    ),
    _native(
        "Date",
        "A date, with the time of day when it is stated",
        _field("date", "date", "The date, YYYY-MM-DD", required=True),
        _field("time", "time", "The time of day, only when the source states one"),
    ),
    _native("Time", "A time of day", _field("time", "time", "The time of day", required=True)),
    _IMAGE,
    _DOCUMENT,
    _native(
        "Html",
        "A piece of HTML",
        _field("inner_html", "text", "The HTML", required=True),
        _field("css_class", "text", "CSS class of the element around it"),
    ),
    _TEXT_AND_IMAGES,
    _native(
        "Page",
        "A page of a document",
        FieldShape("text_and_images", "Text and images of the page", _TEXT_AND_IMAGES.shape, required=True),
        FieldShape("page_view", "An image of the whole page", _IMAGE.shape),
    ),
    _native(
        "JSON",
        "A JSON object",
        FieldShape("json_obj", "The object", DictShape(AnyShape()), required=True),
    ),
    _native(
        "SearchResult",
        "An answer with its sources",
        _field("answer", "text", "The answer", required=True),
        FieldShape("sources", "The sources of the answer", ListShape(_DOCUMENT.shape), required=True),
    ),
    NativeConcept("Dynamic", "A value whose concept is decided when the method runs", AnyShape()),
    NativeConcept("Anything", "A value of any concept", AnyShape()),
    NativeConcept(
        "Composite", "Named parts, put together when the method runs", DictShape(AnyShape(), holds_contents=True)
    ),
    NativeConcept(
        "Markdown",
        "A text in Markdown",
        ObjectShape(
            "native.Markdown",
            "A text in Markdown",
            (_field("text", "text", "The text, in Markdown", required=True),),
            native="Markdown",
        ),
        refines="Text",
    ),
)

NATIVE_CONCEPTS: Final[Mapping[str, NativeConcept]] = MappingProxyType({concept.code: concept for concept in _CONCEPTS})
"""Code → concept."""

RETIRED_NATIVES: Final[Mapping[str, str]] = MappingProxyType(
    {"PDF": "Document", "ImgGenPrompt": "Text", "LlmPrompt": "Text", "OcrInput": "Document"}
)
"""Native concepts of older files → the concept that replaces each."""


def native_code(ref: str) -> str | None:
    """The code of the native concept that a reference names, bare or qualified; None if it names none."""
    code = ref.removeprefix("native.")
    return code if code in NATIVE_CONCEPTS else None

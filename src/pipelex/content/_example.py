"""Made-up values of shapes, for dry runs and for templates of inputs; they are the same each time."""

from pipelex.content._shapes import (
    ChoiceShape,
    DictShape,
    ListShape,
    ObjectShape,
    ScalarKind,
    ScalarShape,
    Shape,
)
from pipelex.content.stuff import Json
from pipelex.errors import ErrorCategory, PipelexError

_MOST_VALUES = 100_000
"""The maximum number of values in an example. Structures may share parts, so a small declaration can unfold into a
value that does not fit into memory."""

_NUMBERS: dict[ScalarKind, float] = {"integer": 1, "number": 1.5}

_SCALARS: dict[ScalarKind, Json] = {
    **_NUMBERS,
    "boolean": True,
    "date": "2024-01-15",
    "datetime": "2024-01-15T10:30:00",
    "time": "10:30:00",
}

LIGHT_FIELDS: dict[str, str] = {
    "Text": "text",
    "Markdown": "text",
    "Number": "number",
    "YesNo": "yes_no",
    "Date": "date",
    "Time": "time",
    "Image": "url",
    "Document": "url",
    "JSON": "json_obj",
}
"""Native concepts that a caller may give as a bare value → the field that the bare value stands for."""


def example(
    shape: Shape, *, light: bool = False, seed_text: str = "", list_items: int = 2, is_sparse: bool = False
) -> Json:
    """A made-up value of a shape, always the same for the same arguments.

    Args:
        shape: the shape to make up.
        light: use bare values where a caller may (a string for a Text, a URL for an Image), as in an inputs file.
            Otherwise the value is content that `validate` accepts unchanged.
        seed_text: the name of the value. Texts and URLs are made from it, so they differ from one another.
        list_items: the number of items in each list.
        is_sparse: leave out the optional fields.

    Raises:
        PipelexError: `method.mock_unsatisfiable` when the structure unfolds into too many values.
    """
    return _Maker(light=light, list_items=list_items, is_sparse=is_sparse).make(shape, seed_text)


class _Maker:
    def __init__(self, *, light: bool, list_items: int, is_sparse: bool) -> None:
        self._light = light
        self._is_sparse = is_sparse
        self._list_items = list_items
        self._left = _MOST_VALUES

    def make(self, shape: Shape, name: str) -> Json:
        self._left -= 1
        if self._left < 0:
            concept = shape.concept if isinstance(shape, ObjectShape) else "?"
            raise PipelexError(
                "method.mock_unsatisfiable",
                f"the structure unfolds into more than {_MOST_VALUES} values, reached in '{concept}'",
                category=ErrorCategory.CONTENT,
                advice="Make the structures shallower.",
                params={"concept": concept},
            )
        if isinstance(shape, ObjectShape):
            return self._object(shape, name)
        if isinstance(shape, ListShape):
            return [self.make(shape.items, f"{name or 'item'}_{rank}") for rank in range(1, self._list_items + 1)]
        if isinstance(shape, DictShape):
            return {_key(shape.keys): self.make(shape.values, name)}
        if isinstance(shape, ChoiceShape):
            return shape.choices[0]
        if isinstance(shape, ScalarShape):
            return _scalar(shape, name)
        return f"{name or 'any'}_value"

    def _object(self, shape: ObjectShape, name: str) -> Json:
        bare = LIGHT_FIELDS.get(shape.native or "")
        if bare is not None and self._light:
            field = shape.field(bare)
            if field is not None:
                return self.make(field.shape, name or bare)
        # A made-up type or size would contradict the made-up file.
        is_sparse = self._is_sparse or shape.native in ("Image", "Document")
        # The bare field of a native concept stands for the whole value, so it uses the value's own name.
        return {
            field.name: self.make(field.shape, name if field.name == bare and name else field.name)
            for field in shape.fields
            if field.required or not is_sparse
        }


def _scalar(shape: ScalarShape, name: str) -> Json:
    if shape.kind == "text":
        return f"{name or 'text'}_value"
    if shape.kind == "url":
        return f"https://mock.invalid/{name or 'url'}"
    if shape.kind not in ("integer", "number"):
        return _SCALARS[shape.kind]
    value = _NUMBERS[shape.kind]
    if shape.minimum is not None and shape.maximum is not None:
        middle = (shape.minimum + shape.maximum) / 2
        return middle if shape.kind == "number" else int(middle)
    if shape.minimum is not None:
        value = max(value, shape.minimum)
    return value if shape.maximum is None else min(value, shape.maximum)


def _key(kind: ScalarKind) -> str:
    if kind in ("text", "url"):
        return "key"
    return "true" if kind == "boolean" else str(_SCALARS[kind])

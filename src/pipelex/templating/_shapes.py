from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from pipelex.content.structure import Shape, shape_from_json, shape_to_json
from pipelex.content.stuff import Json
from pipelex.errors.json import as_object
from pipelex.templating._values import ShapeView


@dataclass(frozen=True)
class ShapeTable:
    """The shapes of some concepts, for rendering a template without a library."""

    shapes: Mapping[str, Shape]

    @classmethod
    def of(cls, refs: Iterable[str], concepts: ShapeView) -> Self:
        """The shapes of the concepts of those references."""
        return cls({ref: concepts.shape(ref) for ref in refs})

    def shape(self, ref: str) -> Shape:
        """See `ShapeView`."""
        return self.shapes[ref]

    def to_json(self) -> dict[str, Json]:
        return {ref: shape_to_json(shape) for ref, shape in self.shapes.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Self:
        return cls({ref: shape_from_json(as_object(shape)) for ref, shape in data.items()})

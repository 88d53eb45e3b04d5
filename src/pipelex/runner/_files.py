"""Moves the files of a run's inputs into the store before the run starts."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from pipelex.content.structure import DictShape, ListShape, ObjectShape, Shape, nested_objects
from pipelex.content.stuff import Json, Stuff
from pipelex.library import Library
from pipelex.storage import FetchPolicy, Storage, normalized

_FILES = ("Image", "Document")


async def stored_inputs(
    inputs: Mapping[str, Stuff],
    library: Library,
    open_storage: Callable[[], Storage],
    policy: FetchPolicy,
    *,
    with_data_urls: bool = True,
) -> dict[str, Stuff]:
    """The inputs with every local file and `data:` URL of an image or a document replaced by a stored file.

    A worker on another machine must be able to reach the files, and their bytes do not belong in workflow histories.
    The run itself must not read files of this machine, because a model's answer could name any of them.

    Args:
        inputs: the inputs that a person gave.
        library: the library that knows the concepts.
        open_storage: returns the storage for the files; called only if there is an image or a document.
        policy: the policy for reading the files.
        with_data_urls: whether to move `data:` URLs as well; local files are always moved.

    Raises:
        PipelexError: a file cannot be read, or the store does not accept it.
    """
    moved = dict(inputs)
    moving: _Moving | None = None
    for name, stuff in inputs.items():
        shape = library.shape(stuff.concept)
        if not any(found.native in _FILES for found in nested_objects(shape)):
            continue
        moving = moving or _Moving(open_storage(), policy, with_data_urls=with_data_urls)
        content = await moving.value(ListShape(shape) if stuff.is_list else shape, _bare(stuff))
        moved[name] = replace(stuff, content={"items": content} if stuff.is_list else content)
    return moved


def _bare(stuff: Stuff) -> Json:
    return stuff.items if stuff.is_list else stuff.content


class _Moving:
    def __init__(self, storage: Storage, policy: FetchPolicy, *, with_data_urls: bool) -> None:
        self._storage = storage
        self._policy = policy
        self._with_data_urls = with_data_urls

    async def value(self, shape: Shape, value: Json) -> Json:
        match shape:
            case ListShape() if isinstance(value, list):
                return [await self.value(shape.items, item) for item in value]
            case DictShape() if isinstance(value, dict):
                return {key: await self.value(shape.values, item) for key, item in value.items()}
            case ObjectShape() if isinstance(value, dict):
                return await self._object(shape, value)
            case _:
                return value

    async def _object(self, shape: ObjectShape, value: dict[str, Json]) -> Json:
        if shape.native in _FILES:
            if not self._with_data_urls and str(value.get("url", ""))[:5].lower() == "data:":
                return value
            return await normalized(value, storage=self._storage, policy=self._policy)
        moved = dict(value)
        for field in shape.fields:
            if field.name in moved:
                moved[field.name] = await self.value(field.shape, moved[field.name])
        return moved

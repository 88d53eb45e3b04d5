"""Messages between the runtime and a reading process: a JSON object and some bytes, and never anything to execute."""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, BinaryIO, Final, cast

from pipelex.reading.source import Picture, ReadPage

_LENGTH: Final = struct.Struct(">Q")


class BrokenWire(Exception):
    """The other side has gone, or has sent something that is not a message."""


def send(stream: BinaryIO, head: dict[str, Any], blobs: Sequence[bytes] = ()) -> None:
    """Send a message.

    Raises:
        OSError: the other side has gone.
    """
    text = json.dumps({**head, "blobs": [len(blob) for blob in blobs]}).encode("utf-8", "surrogatepass")
    stream.write(_LENGTH.pack(len(text)) + text)
    for blob in blobs:
        stream.write(blob)
    stream.flush()


def receive(stream: BinaryIO, *, max_head: int, max_blobs: int) -> tuple[dict[str, Any], list[bytes]] | None:
    """The next message; None when the other side has ended.

    Args:
        stream: the stream to read from.
        max_head: the maximum size of the message's JSON, in bytes.
        max_blobs: the maximum total size of its blobs, in bytes.

    Raises:
        BrokenWire: the message is cut short or too large.
    """
    length = stream.read(_LENGTH.size)
    if not length:
        return None
    size = _LENGTH.unpack(_whole(length, _LENGTH.size))[0]
    if size > max_head:
        raise BrokenWire(f"a message of {size} bytes")
    head: dict[str, Any] = json.loads(_whole(stream.read(size), size))
    sizes = [int(size) for size in head.pop("blobs")]
    if sum(sizes) > max_blobs or min(sizes, default=0) < 0:
        raise BrokenWire("too many bytes")
    return head, [_whole(stream.read(size), size) for size in sizes]


def _whole(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise BrokenWire("half of a message")
    return data


def page_message(page: ReadPage) -> tuple[dict[str, Any], list[bytes]]:
    """A page as a message."""
    blobs: list[bytes] = []

    def told(image: Any) -> dict[str, Any]:
        if not isinstance(image, Picture):
            return {"content": dict(image)}
        blobs.append(image.data)
        return {"picture": {**asdict(image), "data": len(blobs) - 1}}

    images = [told(image) for image in page.images]
    view = None if page.view is None else told(page.view)
    return {"page": {"text": page.text, "images": images, "view": view, "raw_html": page.raw_html}}, blobs


def page_of(message: dict[str, Any], blobs: Sequence[bytes]) -> ReadPage:
    """The page in a message.

    Raises:
        BrokenWire: the message has no page.
    """

    def read(told: Any) -> Any:
        if "picture" not in told:
            content: Any = told["content"]
            return content
        members: dict[str, Any] = dict(cast("Mapping[str, Any]", told["picture"]))
        members["data"] = blobs[members["data"]]
        return Picture(**members)

    try:
        view = message["view"]
        images: tuple[Any, ...] = tuple(read(image) for image in cast("list[Any]", message["images"]))
        return ReadPage(message["text"], images, None if view is None else read(view), message["raw_html"])
    except (KeyError, IndexError, TypeError) as wrong:
        raise BrokenWire(str(wrong)) from None

"""Writes large inputs as one payload that contains a payload for each value.

The codec stores each value separately, so the store has it once even if it is sent with different other values; see
`pipelex.durable.large`.
"""

from collections.abc import Mapping
from typing import Final

from pydantic_core import to_json
from temporalio.api.common.v1 import Payload, Payloads

PARTS: Final = b"binary/pipelex-parts"
"""The encoding of a payload that holds a payload for each value, as a serialized `Payloads` message."""
NAME: Final = "name"
"""The name of a value, in the metadata of its payload."""


def parts_payload(values: Mapping[str, bytes]) -> Payload:
    """Values as one payload, for a codec that knows the encoding `PARTS`.

    Args:
        values: name → JSON of a value.
    """
    parts = [
        Payload(metadata={"encoding": b"json/plain", NAME: name.encode()}, data=value) for name, value in values.items()
    ]
    return Payload(metadata={"encoding": PARTS}, data=Payloads(payloads=parts).SerializeToString(deterministic=True))


def joined_payload(values: Mapping[str, bytes]) -> Payload:
    """Values as the payload of a `LargeInputs`, which any payload converter can read.

    Args:
        values: name → JSON of a value.
    """
    members = b",".join(to_json(name) + b":" + value for name, value in values.items())
    return Payload(metadata={"encoding": b"json/plain"}, data=b'{"values":{' + members + b"}}")

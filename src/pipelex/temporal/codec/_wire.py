"""Reads and writes payloads quickly in the JSON of Temporal's codec protocol.

Protobuf's own JSON reader takes a second for a megabyte, which would stall all other requests to the server. So the
data is decoded here. Protobuf reads only the small rest: a payload's metadata, and the sizes of externally stored
payloads.

Source: the protocol's JSON is protobuf's mapping of `temporal.api.common.v1.Payloads`.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any, Final

from google.protobuf.json_format import MessageToDict, ParseDict
from temporalio.api.common.v1 import Payload

from pipelex.temporal.workflow.refusals import malformed, too_large

MOST_VALUES: Final = 1_000_000
"""The maximum number of JSON values in a body. Each takes a hundred bytes of memory, while its text may take only two
or three. A page of a history has at most half as many."""


def payloads_of_json(body: bytes) -> list[Payload]:
    """The payloads of a request's body: `{"payloads": [{"metadata": {…}, "data": "…"}]}`.

    Raises:
        PipelexError: the body is something else (`request.malformed`), or has too many values (`request.too_large`).
    """
    values = sum(map(body.count, (b"[", b"{", b",")))  # base64 contains none of these
    if values > MOST_VALUES:
        raise too_large(f"a body of more than {MOST_VALUES:,} JSON values", MOST_VALUES, values)
    try:
        return [_payload(table) for table in json.loads(body)["payloads"]]
    except binascii.Error as wrong:
        raise malformed(f"the data of a payload is not base64: {wrong}", "bad_base64") from None
    except Exception as wrong:  # readers of JSON and protobuf raise errors of many types
        raise malformed(f'the body is not {{"payloads": […]}}: {_said(wrong)}', "not_json") from None


def json_of_payloads(payloads: Sequence[Payload]) -> list[bytes]:
    """The body of a response with the payloads, in pieces because it may take hundreds of megabytes."""
    if not payloads:
        return [b"{}"]  # protobuf's mapping leaves out an empty list
    pieces = [piece for payload in payloads for piece in (b",", *_pieces(payload))]
    return [b'{"payloads":[', *pieces[1:], b"]}"]


def _payload(table: dict[str, Any]) -> Payload:
    rest = {key: value for key, value in table.items() if key != "data"}
    payload = ParseDict(rest, Payload(), ignore_unknown_fields=True)
    payload.data = base64.b64decode(table.get("data") or "", validate=True)
    return payload


def _pieces(payload: Payload) -> list[bytes]:
    bare = Payload(metadata=dict(payload.metadata), external_payloads=payload.external_payloads)
    table = json.dumps(MessageToDict(bare), separators=(",", ":")).encode()
    if not payload.data:
        return [table]
    return [table[:-1], b',"data":"' if len(table) > 2 else b'"data":"', base64.b64encode(payload.data), b'"}']


def _said(wrong: Exception) -> str:
    """The beginning of an exception's message; some messages repeat all the text that could not be read."""
    text = str(wrong)
    return (text if len(text) <= 240 else text[:239] + "…") or type(wrong).__name__

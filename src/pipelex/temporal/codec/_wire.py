"""Payloads as the JSON of Temporal's codec protocol, read and written quickly.

Protobuf's own JSON reader takes a second for a megabyte, which would stall everybody else who asks the server. Data is
decoded here; what is small, a payload's metadata and the sizes of what is stored elsewhere, is left to protobuf.

Source: the protocol's JSON is protobuf's mapping of `temporal.api.common.v1.Payloads`.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from temporalio.api.common.v1 import Payload

from pipelex.temporal.workflow.refusals import malformed


def payloads_of_json(body: bytes) -> list[Payload]:
    """The payloads of a request's body: `{"payloads": [{"metadata": {…}, "data": "…"}]}`.

    Raises:
        PipelexError: the body is something else (`request.malformed`).
    """
    try:
        tables = json.loads(body)["payloads"]
        return [_payload(table) for table in tables]
    except binascii.Error as wrong:
        raise malformed(f"the data of a payload is not base64: {wrong}", "bad_base64") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ParseError) as wrong:
        raise malformed(f'the body is not {{"payloads": […]}}: {wrong}', "not_json") from None


def json_of_payloads(payloads: Sequence[Payload]) -> bytes:
    """The body of an answer with some payloads."""
    tables = [_table(payload) for payload in payloads]
    # Protobuf's mapping leaves out a list without members.
    return json.dumps({"payloads": tables} if tables else {}, separators=(",", ":")).encode()


def _payload(table: dict[str, Any]) -> Payload:
    rest = {key: value for key, value in table.items() if key != "data"}
    payload = ParseDict(rest, Payload(), ignore_unknown_fields=True)
    payload.data = base64.b64decode(table.get("data") or "", validate=True)
    return payload


def _table(payload: Payload) -> dict[str, Any]:
    bare = Payload(metadata=dict(payload.metadata), external_payloads=payload.external_payloads)
    table: dict[str, Any] = MessageToDict(bare)
    return {**table, "data": base64.b64encode(payload.data).decode()} if payload.data else table

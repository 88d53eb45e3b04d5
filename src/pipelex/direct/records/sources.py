"""Converts the source of a run to JSON and back."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelex.errors import Json
from pipelex.library import Library, LibraryCrate, MethodTree
from pipelex.orchestration import RunRequest, RunSource
from pipelex.pipes.calls import PipeCall, RunIdentity, RunOptions


def source_of(request: RunRequest) -> RunSource:
    """The source of the run that a request starts."""
    folders = [_folder(tree) for tree in request.trees]
    return RunSource(
        request.library,
        request.call,
        request.options,
        request.identity,
        dict(request.attributes),
        tuple(dict.fromkeys([*(folder for folder in folders if folder is not None), *request.folders])),
    )


def _folder(tree: MethodTree) -> Path | None:
    return tree.root


def source_to_json(source: RunSource) -> dict[str, Json]:
    """A source as JSON; from the library, it holds only the closure of the pipe."""
    concepts = [stuff.concept for stuff in source.call.inputs.values()]
    if source.call.dynamic_output is not None:
        concepts.append(source.call.dynamic_output)
    crate = source.library.closure(source.call.pipe, concepts)
    return {
        "crate": json.loads(crate.json_bytes),
        "description": source.library.pipe(source.call.pipe).description,
        "call": source.call.model_dump(mode="json", exclude_unset=True),
        "options": source.options.model_dump(mode="json", exclude_unset=True),
        "identity": source.identity.model_dump(mode="json", exclude_unset=True),
        "attributes": {
            name: value if isinstance(value, str) else list(value) for name, value in source.attributes.items()
        },
        "folders": [str(folder) for folder in source.folders],
    }


def source_from_json(written: Mapping[str, Any]) -> RunSource:
    """The inverse of `source_to_json`.

    Raises:
        PipelexError: this release cannot read the crate.
        ValueError, KeyError, TypeError: the JSON is not a source.
    """
    crate = written["crate"]
    call = PipeCall.model_validate(written["call"])
    crate["pipes"][call.pipe]["description"] = written["description"]
    return RunSource(
        Library(LibraryCrate.from_json_bytes(json.dumps(crate, ensure_ascii=False).encode())),
        call,
        RunOptions.model_validate(written["options"]),
        RunIdentity.model_validate(written["identity"]),
        written["attributes"],
        tuple(map(Path, written["folders"])),
    )

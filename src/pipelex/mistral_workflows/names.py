"""Names and ids as the platform takes them: letters, digits, `_` and `-`, in a way that can be read back.

A character that the platform refuses is written as `-` and one more (`.` as `--`, `/` as `-_`), any other as `-x`, its
code in hexadecimal, and `-`.
"""

import hashlib
import re
from typing import Final

LONGEST_NAME: Final = 128
"""The most characters of a workflow's name."""
LONGEST_ID: Final = 256
"""The most characters of an execution's id."""
RESERVED: Final = frozenset({"executions", "schedules", "definitions", "internal", "webhooks", "archive", "unarchive"})
"""The names that the platform keeps for its own addresses."""
RUN_PIPE: Final = "pipelex-run-pipe"
"""The workflow that runs any pipe."""
RUN_SLICE: Final = "pipelex-run-slice"
"""The workflow that runs a slice of a batch."""

_PIPE: Final = "pipe-"
"""The prefix of the name of an exposed pipe's workflow, unless the settings name it."""
_ESCAPES: Final = {".": "--", "/": "-_", "-": "-m", "[": "-b", "]": "-e", ":": "-c", ">": "-g"}
_PLAIN: Final = re.compile(r"[A-Za-z0-9_]")
_HASHED: Final = re.compile(r"-xh-[0-9a-f]+$")
"""The end of an id that would have been too long; no id that is written whole has it."""
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_WRITTEN: Final = re.compile(r"-x([0-9a-f]+)-|(-[-_a-z])|([A-Za-z0-9_])")
_READ: Final = {written: character for character, written in _ESCAPES.items()}
_HASH_CHARS: Final = 32


def encoded(text: str) -> str:
    """A text in the characters that the platform takes."""
    return "".join(
        character if _PLAIN.fullmatch(character) else _ESCAPES.get(character, f"-x{ord(character):x}-")
        for character in text
    )


def decoded(written: str) -> str:
    """The inverse of `encoded`.

    Raises:
        ValueError: nothing is encoded like that.
    """
    characters: list[str] = []
    place = 0
    while place < len(written):
        found = _WRITTEN.match(written, place)
        if found is None:
            raise ValueError(f"{written!r} is not an encoded name")
        code, escape, plain = found.groups()
        if escape is not None and escape not in _READ:
            raise ValueError(f"{written!r} is not an encoded name")
        characters.append(chr(int(code, 16)) if code is not None else _READ[escape] if escape is not None else plain)
        place = found.end()
    return "".join(characters)


def workflow_name(pipe: str) -> str:
    """The name of an exposed pipe's workflow.

    Args:
        pipe: the pipe's reference: `billing.read_invoice` is `pipe-billing--read_invoice`.
    """
    return _PIPE + encoded(pipe)


def pipe_of(name: str) -> str | None:
    """The inverse of `workflow_name`; None for the name of something else."""
    if not name.startswith(_PIPE):
        return None
    try:
        return decoded(name.removeprefix(_PIPE))
    except ValueError:
        return None


def why_not_a_name(name: str) -> str | None:
    """The reason why the platform would refuse a workflow's name; None where it takes it."""
    if not _NAME.fullmatch(name):
        return "may have only letters, digits, '_' and '-'"
    if len(name) > LONGEST_NAME:
        return f"has {len(name)} characters; the platform takes {LONGEST_NAME}"
    if name in RESERVED:
        return "is kept by the platform for its own addresses"
    return None


def execution_id(run_id: str) -> str:
    """The id of the execution that runs an entry pipe: the run's own, encoded where it must be.

    A run's id as Pipelex makes them is taken as it is; one that looks encoded, or has other characters, is encoded after
    the mark `r--`.
    """
    if _NAME.fullmatch(run_id) and not run_id.startswith(_MARK):
        return run_id
    return _MARK + encoded(run_id)


_MARK: Final = "r--"


def run_id_of(execution: str) -> str:
    """The inverse of `execution_id`."""
    if not execution.startswith(_MARK):
        return execution
    try:
        return decoded(execution.removeprefix(_MARK))
    except ValueError:
        return execution


def child_id(root: str, path: tuple[str, ...], ranks: str = "") -> str:
    """The id of an execution below a run's own: the root's, then the steps down to it.

    Where that would be longer than the platform takes, its end is a hash of the whole.

    Args:
        root: the id of the run's own execution.
        path: the steps from the entry pipe down to the execution's pipe.
        ranks: the ranks of a slice's items in the whole list: `0-499`.
    """
    steps = "/".join(path) + (f"[{ranks}]" if ranks else "")
    id_ = f"{root}{encoded('/' + steps)}"
    if len(id_) <= LONGEST_ID:
        return id_
    digest = hashlib.sha256(id_.encode()).hexdigest()[:_HASH_CHARS]
    return f"{id_[: LONGEST_ID - _HASH_CHARS - 4]}-xh-{digest}"


def path_of(root: str, id_: str) -> tuple[str, ...] | None:
    """The steps that the id of an execution tells, ranks included; None where it ends in a hash, or has another root."""
    if _HASHED.search(id_):
        return None
    if id_ == root:
        return ()
    if not id_.startswith(root):
        return None
    try:
        return tuple(decoded(id_.removeprefix(root)).removeprefix("/").split("/"))
    except ValueError:
        return None


def trace_id(root: str, id_: str) -> str:
    """The id of an execution as traces tell it: the run's, then the steps as they are; the platform's id where it has none."""
    path = path_of(root, id_)
    return id_ if path is None else "/".join((root, *path))


_LIMITED: Final = "__"


def limited(activity: str, backend: str) -> str:
    """The name of the activity that performs an effect for a backend with a rate."""
    return f"{activity}{_LIMITED}{encoded(backend)}"


def effect_of(activity: str) -> str:
    """The name of an effect's activity, whatever backend it is for."""
    return activity.partition(_LIMITED)[0]

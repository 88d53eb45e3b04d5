"""Names and ids in the characters that the platform takes (letters, digits, `_` and `-`), and how to decode them.

Letters, digits and `_` stay. Each of `.`, `/`, `-`, `[`, `]`, `:` and `>` is encoded as `-` and one more character: `.`
is `--`, `/` is `-_`. Any other character is encoded as `-x`, its code in hexadecimal, and `-`.
"""

import hashlib
import re
import sys
from typing import Final

LONGEST_NAME: Final = 128
"""The most characters of a workflow's name."""
LONGEST_ID: Final = 256
"""The most characters of an execution's id."""
RESERVED: Final = frozenset({"executions", "schedules", "definitions", "internal", "webhooks", "archive", "unarchive"})
"""The names that the platform reserves for its own URLs."""
RUN_PIPE: Final = "pipelex-run-pipe"
"""The workflow that runs any pipe."""
RUN_SLICE: Final = "pipelex-run-slice"
"""The workflow that runs a slice of a batch."""

_PIPE: Final = "pipe-"
"""The prefix of the name of an exposed pipe's workflow, unless the settings name the workflow."""
_ESCAPES: Final = {".": "--", "/": "-_", "-": "-m", "[": "-b", "]": "-e", ":": "-c", ">": "-g"}
_PLAIN: Final = re.compile(r"[A-Za-z0-9_]")
_HASHED: Final = re.compile(r"-xh-[0-9a-f]+$")
"""The end of an id that was too long and is therefore hashed. No text that `encoded` returns has such an end."""
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_WRITTEN: Final = re.compile(r"-x([0-9a-f]+)-|(-[-_a-z])|([A-Za-z0-9_])")
_READ: Final = {written: character for character, written in _ESCAPES.items()}
_HASH_CHARS: Final = 32
_LONGEST_CODE: Final = 6
_NO_CHARACTER: Final = sys.maxunicode + 1
_SURROGATES: Final = range(0xD800, 0xE000)
"""The codes that are no characters by themselves; no UTF-8 can be written of them."""


def encoded(text: str) -> str:
    """A text in the characters that the platform takes."""
    return "".join(
        character if _PLAIN.fullmatch(character) else _ESCAPES.get(character, f"-x{ord(character):x}-")
        for character in text
    )


def decoded(written: str) -> str:
    """The inverse of `encoded`.

    Raises:
        ValueError: the text is not one that `encoded` returns.
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
        characters.append(_character(code) if code is not None else _READ[escape] if escape is not None else plain)
        place = found.end()
    text = "".join(characters)
    if encoded(text) != written:
        raise ValueError(f"{written!r} is not an encoded name")
    return text


def _character(code: str) -> str:
    """The character of a hexadecimal code.

    Raises:
        ValueError: there is no such character.
    """
    number = int(code, 16) if len(code) <= _LONGEST_CODE else _NO_CHARACTER
    if number >= _NO_CHARACTER or number in _SURROGATES:
        raise ValueError(f"no character has the code {code[: 2 * _LONGEST_CODE]}")
    return chr(number)


def workflow_name(pipe: str) -> str:
    """The name of an exposed pipe's workflow.

    Args:
        pipe: the pipe's reference; `billing.read_invoice` becomes `pipe-billing--read_invoice`.
    """
    return _PIPE + encoded(pipe)


def pipe_of(name: str) -> str | None:
    """The inverse of `workflow_name`; None if the name has another form."""
    if not name.startswith(_PIPE):
        return None
    try:
        return decoded(name.removeprefix(_PIPE))
    except ValueError:
        return None


def why_not_a_name(name: str) -> str | None:
    """The reason why a workflow's name is refused, in words that follow the name; None if the platform takes it."""
    if not _NAME.fullmatch(name):
        return "may have only letters, digits, '_' and '-'"
    if len(name) > LONGEST_NAME:
        return f"has {len(name)} characters; the platform takes {LONGEST_NAME}"
    if name in RESERVED:
        return "is reserved by the platform for its own addresses"
    return None


def execution_id(run_id: str) -> str:
    """The id of the execution that runs an entry pipe: the run's id, encoded if necessary.

    An id that Pipelex made needs no encoding. An id that begins with `r--`, or has characters that the platform does
    not take, is encoded and prefixed with `r--`.
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
    """The id of an execution below a run's root execution: the root's id, then the steps down to it.

    If that is longer than the platform takes, its end is replaced by a hash of the whole.

    Args:
        root: the id of the run's root execution.
        path: the steps from the entry pipe down to the execution's pipe.
        ranks: the ranks of a slice's items in the whole list, such as `0-499`; empty for a pipe.
    """
    steps = "/".join(path) + (f"[{ranks}]" if ranks else "")
    id_ = f"{root}{encoded('/' + steps)}"
    if len(id_) <= LONGEST_ID:
        return id_
    digest = hashlib.sha256(id_.encode()).hexdigest()[:_HASH_CHARS]
    return f"{id_[: LONGEST_ID - _HASH_CHARS - 4]}-xh-{digest}"


def path_of(root: str, id_: str) -> tuple[str, ...] | None:
    """The steps in the id of an execution, ranks included; None if the id is hashed or has another root."""
    if id_ == root:
        return ()
    if _HASHED.search(id_):
        return None
    if not id_.startswith(root):
        return None
    try:
        return tuple(decoded(id_.removeprefix(root)).removeprefix("/").split("/"))
    except ValueError:
        return None


def trace_id(root: str, id_: str) -> str:
    """The id of an execution in traces: the root's id, then the decoded steps; the id itself if it has none."""
    path = path_of(root, id_)
    return id_ if path is None else "/".join((root, *path))


_LIMITED: Final = "__"


def limited(activity: str, backend: str) -> str:
    """The name of the activity that performs an effect for a backend with a rate limit."""
    return f"{activity}{_LIMITED}{encoded(backend)}"


def effect_of(activity: str) -> str:
    """The name of an effect's activity, without the backend that `limited` adds."""
    return activity.partition(_LIMITED)[0]

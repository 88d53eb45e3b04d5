"""Changes a bundle's text by operations, and keeps its comments and layout.

Source: MTHDS 8.0.0, section 11.1 of the language reference. The members of an operation are `op`, `table` (the path of
keys and indexes of a table), `key`, and by operation `value`, `new_key`, `new_table` or `mapping`.
"""

import copy
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

import tomlkit
from tomlkit.container import Container
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Array, InlineTable, Item, Key, Null, SingleKey, String, Table

from pipelex.errors import Json
from pipelex.tooling.fix._strings import string_item

Op: TypeAlias = Mapping[str, Json]
Path: TypeAlias = Sequence[str | int]
_Owner: TypeAlias = Container | Table | InlineTable

_PREDECESSORS: Final[dict[str, tuple[str, ...]]] = {
    "type": (),
    "description": ("type", "domain"),
    "inputs": ("description", "type"),
    "output": ("inputs", "description", "type"),
    "model": ("output",),
    "default_outcome": ("outcomes", "pipe_map", "expression", "expression_template", "output"),
}
"""New key → the keys that it usually follows; any other key goes after the last plain key of its table."""


class OpRefused(Exception):
    """An operation does not fit the document."""


class Document:
    """The text of a bundle, with the plain data of the same content.

    Raises:
        ValueError: the text is not TOML.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.plain: dict[str, Any] = tomllib.loads(text)

    def apply(self, groups: Sequence[Sequence[Op]]) -> list[bool]:
        """Apply each group of operations completely or not at all; return for each whether it changed the document."""
        if len(groups) > 1:
            together = self._applied([op for group in groups for op in group])
            if together is not None and all(self._fits(group) for group in groups):
                self.text, self.plain = together
                return [True] * len(groups)
        done: list[bool] = []
        for group in groups:
            changed = self._applied(group)
            if changed is not None:
                self.text, self.plain = changed
            done.append(changed is not None)
        return done

    def _fits(self, group: Sequence[Op]) -> bool:
        """Whether a group would change the document on its own."""
        try:
            return changed(self.plain, group) != self.plain
        except OpRefused:
            return False

    def _applied(self, ops: Sequence[Op]) -> tuple[str, dict[str, Any]] | None:
        try:
            expected = changed(self.plain, ops)
            if expected == self.plain:
                return None
            document = tomlkit.parse(self.text)
            for op in ops:
                _apply(document, op)
            text = tomlkit.dumps(document)  # type: ignore[reportUnknownMemberType]
            # Compare the new text with the expected data, so a rewrite never changes anything else.
            return (text, expected) if tomllib.loads(text) == expected else None
        except (OpRefused, TOMLKitError, ValueError, KeyError, IndexError, RecursionError):
            return None


def apply_ops(text: str, ops: Sequence[Op]) -> str:
    """Apply some operations to the text of a bundle.

    Raises:
        ValueError: the text is not TOML, or the operations do not fit it.
    """
    document = Document(text)
    if not document.apply([ops])[0] and changed_or_none(document.plain, ops) != document.plain:
        raise ValueError("the operations do not fit the document")
    return document.text


def changed_or_none(plain: dict[str, Any], ops: Sequence[Op]) -> dict[str, Any] | None:
    """The result of `changed`; None if an operation does not fit."""
    try:
        return changed(plain, ops)
    except OpRefused:
        return None


# --- on plain data ----------------------------------------------------------------------------------------------------


def changed(plain: Mapping[str, Any], ops: Sequence[Op]) -> dict[str, Any]:
    """A copy of plain data with some operations applied.

    Raises:
        OpRefused: an operation does not fit.
    """
    now: dict[str, Any] = copy.deepcopy(dict(plain))
    for op in ops:
        _change(now, op)
    return now


def _change(now: dict[str, Any], op: Op) -> None:
    kind, path = op["op"], cast("Path", op["table"])
    if kind == "ensure_table":
        current: Any = now
        for part in path:
            current = cast("dict[str, Any]", current).setdefault(str(part), {})
            if not isinstance(current, dict):
                raise OpRefused(f"'{part}' is not a table")
        return
    if kind == "delete_table":
        _pop(_table(now, path[:-1]), str(path[-1]))
        return
    table, key = _table(now, path), str(op["key"])
    if kind == "set_key":
        table[key] = copy.deepcopy(op["value"])
    elif kind == "delete_key":
        _pop(table, key)
    elif kind == "rename_table_key":
        new = str(op["new_key"])
        if new in table or key not in table:
            raise OpRefused(f"'{key}' cannot become '{new}'")
        table[new] = table.pop(key)
    elif kind == "move_key":
        target, new = _table(now, cast("Path", op["new_table"])), str(op.get("new_key", key))
        value = _pop(table, key)
        if new in target:
            raise OpRefused(f"'{new}' is there already")
        target[new] = value
    elif kind == "remap_value":
        mapping = cast("Mapping[str, Json]", op["mapping"])
        if table.get(key) not in mapping:
            raise OpRefused(f"'{key}' has another value")
        table[key] = mapping[table[key]]
    else:
        raise OpRefused(f"unknown operation '{kind}'")


def _table(now: dict[str, Any], path: Path) -> dict[str, Any]:
    current: Any = now
    for part in path:
        try:
            current = current[part]
        except (KeyError, IndexError, TypeError):
            raise OpRefused(f"there is no table {list(path)}") from None
    if not isinstance(current, dict):
        raise OpRefused(f"{list(path)} is not a table")
    return cast("dict[str, Any]", current)


def _pop(table: dict[str, Any], key: str) -> Any:
    if key not in table:
        raise OpRefused(f"there is no '{key}'")
    return table.pop(key)


# --- on the tree that keeps the layout --------------------------------------------------------------------------------
# A table may be written in several places of a file, so every step visits all of its fragments. The tree's lists are
# changed directly, because its own methods see only one fragment at a time.


def _apply(document: tomlkit.TOMLDocument, op: Op) -> None:
    kind, path = op["op"], cast("Path", op["table"])
    if kind == "ensure_table":
        _ensure(document, path)
        return
    if kind == "delete_table":
        _delete(_fragments(document, path[:-1]), str(path[-1]))
        return
    owners, key = _fragments(document, path), str(op["key"])
    if kind == "set_key":
        _set(owners, key, op["value"])
    elif kind == "delete_key":
        _delete(owners, key)
    elif kind == "rename_table_key":
        for owner, index in _places(owners, key):
            old, item = _body(owner)[index]
            assert old is not None
            _forget_names(item)
            _body(owner)[index] = (_key_like(old, str(op["new_key"])), item)
    elif kind == "move_key":
        item = next(_body(owner)[index][1] for owner, index in _places(owners, key))
        _delete(owners, key)
        _insert(_fragments(document, cast("Path", op["new_table"])), str(op.get("new_key", key)), item)
    elif kind == "remap_value":
        owner, index = next(_places(owners, key))
        mapping = cast("Mapping[str, Json]", op["mapping"])
        _set(owners, key, mapping[cast("Any", _body(owner)[index][1]).unwrap()])


def _body(owner: _Owner) -> list[tuple[Key | None, Item]]:
    return owner.body if isinstance(owner, Container) else owner.value.body


def _fragments(document: tomlkit.TOMLDocument, path: Path) -> list[_Owner]:
    current: list[Any] = [document]
    for part in path:
        following: list[Any] = []
        for owner in current:
            if isinstance(part, int):
                items = cast("list[Any]", list(owner)) if isinstance(owner, AoT | Array) else []
                following += items[part : part + 1]
            elif isinstance(owner, Container | Table | InlineTable):
                following += [item for key, item in _body(owner) if key is not None and key.key == part]
        current = following
    found = [owner for owner in current if isinstance(owner, Container | Table | InlineTable)]
    if not found:
        raise OpRefused(f"there is no table {list(path)}")
    return found


def _places(owners: Sequence[_Owner], key: str) -> Iterator[tuple[_Owner, int]]:
    for owner in owners:
        for index, (name, _) in enumerate(_body(owner)):
            if name is not None and name.key == key:
                yield owner, index


def _set(owners: Sequence[_Owner], key: str, value: Json) -> None:
    place = next(_places(owners, key), None)
    if place is None:
        _insert(owners, key, _item(value))
        return
    owner, index = place
    name, old = _body(owner)[index]
    item = _item(value, old)
    if isinstance(old, Table | AoT):
        raise OpRefused(f"'{key}' is a table of its own")
    trivia = item.trivia
    trivia.indent, trivia.comment_ws = old.trivia.indent, old.trivia.comment_ws
    trivia.comment, trivia.trail = old.trivia.comment, old.trivia.trail
    _body(owner)[index] = (name, item)


def _item(value: Json, like: Item | None = None) -> Item:
    if isinstance(value, str):
        return string_item(value, like if isinstance(like, String) else None)
    if isinstance(value, dict):
        pairs: list[tuple[Key, Item]] = []
        for key, inner in value.items():
            is_same = isinstance(like, String) and str(like) == inner
            pairs.append((SingleKey(key), like if is_same and like is not None else _item(inner)))
        table = tomlkit.inline_table()
        _write_inline(table, pairs)
        return table
    if isinstance(value, list):
        values = value
        written = [_item(inner).as_string() for inner in values]
        if any(isinstance(inner, dict) for inner in values):
            return _parsed("[\n" + "".join(f"  {each},\n" for each in written) + "]")
        return _parsed("[" + ", ".join(written) + "]")
    return tomlkit.item(value)


def _pairs(table: InlineTable) -> list[tuple[Key, Item]]:
    return [(key, item) for key, item in table.value.body if key is not None]


def _write_inline(table: InlineTable, pairs: Sequence[tuple[Key, Item]]) -> None:
    """Replace the entries of an inline table, on one line."""
    written = ", ".join(f"{key.as_string().strip()} = {item.as_string()}" for key, item in pairs)
    fresh = cast("InlineTable", _parsed(f"{{ {written} }}" if written else "{}"))
    table.value.body[:] = fresh.value.body


def _parsed(written: str) -> Item:
    return cast("Item", tomlkit.parse(f"x = {written}\n").item("x"))


def _delete(owners: Sequence[_Owner], key: str) -> None:
    for owner, index in list(_places(owners, key)):
        _body(owner)[index] = (None, Null())
        if isinstance(owner, InlineTable):
            _write_inline(owner, _pairs(owner))


def _insert(owners: Sequence[_Owner], key: str, item: Item) -> None:
    owner = next((one for one in owners if not (isinstance(one, Table) and one.is_super_table())), owners[0])
    if isinstance(owner, InlineTable):
        _write_inline(owner, [*_pairs(owner), (SingleKey(key), item)])
        return
    body = _body(owner)
    plain = [
        index for index, (name, inner) in enumerate(body) if name is not None and not isinstance(inner, Table | AoT)
    ]
    wanted = _PREDECESSORS.get(key)
    named = {name.key: index for index in plain if (name := body[index][0]) is not None}
    index = next((named[other] for other in wanted or () if other in named), None)
    if index is None:
        index = -1 if key in ("type", "description") or not plain else plain[-1]
    indent = body[plain[0]][1].trivia.indent if plain else ""
    item.trivia.indent, item.trivia.trail = indent, "\n"
    item.trivia.comment_ws = item.trivia.comment = ""
    if index >= 0 and "\n" not in body[index][1].trivia.trail:
        body[index][1].trivia.trail += "\n"
    neighbour = body[index][0] if index >= 0 else body[plain[0]][0] if plain else None
    body.insert(index + 1, (_key_like(neighbour, key), item))


def _ensure(document: tomlkit.TOMLDocument, path: Path) -> None:
    for length in range(1, len(path) + 1):
        try:
            _fragments(document, path[:length])
        except OpRefused:
            break
    else:
        return
    if length > 1:
        parents = _fragments(document, path[: length - 1])
        if all(isinstance(parent, InlineTable) for parent in parents):
            _insert(parents, str(path[length - 1]), tomlkit.inline_table())
            _ensure(document, path)
            return
    header = ".".join(SingleKey(str(part)).as_string() for part in path)
    document.body.extend(tomlkit.parse(f"\n[{header}]\n").body)


def _key_like(other: Key | None, name: str) -> Key:
    """A key whose `=` is aligned with the other key's, if the author aligned them."""
    key = SingleKey(name)
    if other is None:
        return key
    written = other.as_string()
    before = len(written) - len(written.rstrip(" ")) + len(other.sep) - len(other.sep.lstrip(" "))
    width = len(written.rstrip(" ")) + before - len(key.as_string())
    key.sep = " " * (max(1, width) if before > 1 else before) + (other.sep.lstrip(" ") or "= ")
    return key


def _forget_names(item: Item) -> None:
    """Have the headers of a renamed table, and of the tables inside it, written with the new name."""
    if isinstance(item, Table):
        item.display_name = None
        for _, inner in item.value.body:
            _forget_names(inner)
    elif isinstance(item, AoT):
        for inner in item.body:
            _forget_names(inner)

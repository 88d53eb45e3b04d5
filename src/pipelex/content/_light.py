"""Turns bare values, as a person writes them, into contents of native concepts."""

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Final, cast

from pipelex.content.files.local import (
    FileRefused,
    LocalFiles,
    check_data_url,
    check_file,
    file_content,
    is_local,
    local_file,
)
from pipelex.content.structure import LIGHT_FIELDS, DictShape, ListShape, ObjectShape, Shape
from pipelex.content.stuff import Json

_DATE_WITH_TIME: Final = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}.*)", re.ASCII)


class LightReader:
    """Expands bare values of native concepts to their content form, at every depth, and resolves local files."""

    def __init__(self, files: LocalFiles | None) -> None:
        self._files = files
        self.refused: list[tuple[str, FileRefused]] = []

    def expand(self, shape: Shape, value: Json, where: str) -> Json:
        """The value with its bare parts expanded. Parts that do not fit stay unchanged, for the check to report."""
        if isinstance(shape, ListShape) and isinstance(value, list | tuple):
            items = cast("Sequence[Json]", value)
            return [self.expand(shape.items, item, f"{where}[{rank}]") for rank, item in enumerate(items)]
        if isinstance(shape, DictShape) and isinstance(value, Mapping):
            members = cast("Mapping[str, Json]", value)
            return {key: self.expand(shape.values, item, f"{where}.{key}") for key, item in members.items()}
        if isinstance(shape, ObjectShape):
            return self._object(shape, value, where)
        return value

    def _object(self, shape: ObjectShape, value: Json, where: str) -> Json:
        native = shape.native
        if not isinstance(value, Mapping):
            bare = LIGHT_FIELDS.get(native or "")
            if bare is None or value is None or _is_list(value):
                return value
            expanded: dict[str, Json] = _date(value) if native == "Date" else {bare: value}
        elif native == "JSON":
            given = cast("Mapping[str, Json]", value)
            is_content = len(given) == 1 and isinstance(given.get("json_obj"), Mapping)
            return given if is_content else {"json_obj": given}
        else:
            expanded = dict(cast("Mapping[str, Json]", value))
        if native in ("Image", "Document"):
            return self._file(expanded, native.lower(), where)
        for field in shape.fields:
            if field.name in expanded and not _is_bare(field.shape):
                expanded[field.name] = self.expand(field.shape, expanded[field.name], f"{where}.{field.name}")
        return expanded

    def _file(self, content: dict[str, Json], file_type: str, where: str) -> Json:
        url = content.get("url")
        if not isinstance(url, str):
            return content
        try:
            if not is_local(url):
                if url[:5].lower() == "data:":
                    check_data_url(url, file_type)
                return content
            path = local_file(url, self._files, file_type=file_type)
            check_file(path, url, file_type)
            known = file_content(path)
        except FileRefused as refused:
            self.refused.append((where, refused))
            return content
        return {**known, **content, "url": known["url"]}


def _is_list(value: Json) -> bool:
    return isinstance(value, list | tuple)


def _is_bare(shape: Shape) -> bool:
    return not isinstance(shape, ObjectShape | ListShape | DictShape)


def _date(value: Json) -> dict[str, Json]:
    """A bare Date: the time of day is kept only where the value states one."""
    if isinstance(value, datetime.datetime):
        return {"date": value.date().isoformat(), "time": value.timetz().isoformat()}
    match = _DATE_WITH_TIME.fullmatch(value) if isinstance(value, str) else None
    return {"date": match[1], "time": match[2]} if match is not None else {"date": value}

"""Patterns in gitignore's language, which keep files out of a method's tree."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class IgnoreRule:
    """One line of a `.gitignore`, or one pattern of `[package] exclude`."""

    pattern: re.Pattern[str]
    is_negated: bool
    only_directories: bool
    base: str
    """The tree path of the folder whose file contains the pattern, with a trailing slash; empty at the root."""


def ignore_rules(lines: Iterable[str], base: str = "") -> list[IgnoreRule]:
    """Read patterns in gitignore's language, in order: later ones win."""
    rules: list[IgnoreRule] = []
    for raw in lines:
        line = re.sub(r"(?<!\\) +$", "", raw.rstrip("\r\n"))
        if not line or line.startswith("#"):
            continue
        is_negated = line.startswith("!")
        line = line[1:] if is_negated else line.removeprefix("\\") if line[:2] in ("\\#", "\\!") else line
        only_directories = line.endswith("/")
        line = line.rstrip("/")
        if line:
            rules.append(IgnoreRule(_compiled(line), is_negated, only_directories, base))
    return rules


def is_ignored(path: str, is_directory: bool, rules: Sequence[IgnoreRule]) -> bool:
    """Whether the last rule that matches a tree path excludes it."""
    for rule in reversed(rules):
        if (rule.only_directories and not is_directory) or not path.startswith(rule.base):
            continue
        if rule.pattern.fullmatch(path[len(rule.base) :]) is not None:
            return not rule.is_negated
    return False


def _compiled(line: str) -> re.Pattern[str]:
    is_anchored = "/" in line
    parts = line.lstrip("/").split("/")
    expression = "" if is_anchored else "(?:.*/)?"
    for index, part in enumerate(parts):
        is_last = index == len(parts) - 1
        if part == "**":
            expression += ".*" if is_last else "(?:.*/)?"
        else:
            expression += _segment(part) + ("" if is_last else "/")
    return re.compile(expression)


def _segment(part: str) -> str:
    expression, index = "", 0
    while index < len(part):
        char = part[index]
        index += 1
        if char == "*":
            while part[index : index + 1] == "*":  # one star means the same, without the backtracking
                index += 1
            expression += "[^/]*"
        elif char == "?":
            expression += "[^/]"
        elif char == "\\" and index < len(part):
            expression += re.escape(part[index])
            index += 1
        elif char == "[" and (end := part.find("]", index + 1)) > 0:
            inner = part[index:end].replace("\\", "\\\\").replace("[", "\\[")
            expression += f"[{'^' + inner[1:] if inner[0] in '!^' else inner}]"
            index = end + 1
        else:
            expression += re.escape(char)
    return expression

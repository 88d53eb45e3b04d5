from collections.abc import Mapping
from typing import Any


def add_up(working_memory: Mapping[str, Any]) -> dict[str, Any]:
    lines: list[dict[str, Any]] = working_memory["lines"]["items"]
    by_amount = sorted(lines, key=_amount)
    return {"total": sum(_amount(line) for line in lines), "largest": by_amount[-1]}


def _amount(line: Mapping[str, Any]) -> float:
    return line["amount"]

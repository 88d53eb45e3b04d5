from collections.abc import Mapping, Sequence
from typing import Any


def add_up(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    by_amount = sorted(lines, key=_amount)
    return {"total": sum(_amount(line) for line in lines), "largest": by_amount[-1]}


def _amount(line: Mapping[str, Any]) -> float:
    return line["amount"]

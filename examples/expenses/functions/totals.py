"""The arithmetic that a method should not leave to its models."""

from collections.abc import Mapping, Sequence
from typing import Any


def add_up(expenses: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The sums of a list of expenses, and the largest of them."""
    by_category: dict[str, float] = {}
    for expense in expenses:
        by_category[expense["category"]] = by_category.get(expense["category"], 0) + expense["amount"]
    largest = max(expenses, key=lambda expense: expense["amount"], default=None)
    totals: dict[str, Any] = {"total": sum(by_category.values()), "by_category": by_category}
    return totals if largest is None else {**totals, "largest": largest}

"""Search attributes on the command line: `--attribute NAME=VALUE` and `--tag T`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from pipelex.cli._shared.group import Misuse
from pipelex.orchestration.jobs import Attributes

AttributeOption = Annotated[
    list[str] | None,
    typer.Option("--attribute", metavar="NAME=VALUE", help="A search attribute that the settings declare; repeatable."),
]
TagOption = Annotated[
    list[str] | None, typer.Option("--tag", metavar="T", help="A tag, kept in the search attribute Tags; repeatable.")
]
TAGS = "Tags"


def attributes_of(given: Sequence[str], tags: Sequence[str]) -> Attributes:
    """The search attributes that these options give; several values of one name become a list.

    Raises:
        Misuse: an option is not of the form `NAME=VALUE`.
    """
    found: dict[str, list[str]] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise Misuse(f"--attribute {each}: write NAME=VALUE")
        found.setdefault(name, []).append(value)
    if tags:
        found.setdefault(TAGS, []).extend(tags)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}

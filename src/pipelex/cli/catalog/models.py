"""`pipelex models`."""

import logging
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Final

import typer

from pipelex.cli._shared.console import columns, out, paint_out, say, table, tell_out, wrapped
from pipelex.cli._shared.group import command_app
from pipelex.cli._shared.session import JsonFlag, open_local_app
from pipelex.errors import ErrorCategory, PipelexError, near_names
from pipelex.inference.families import FAMILIES
from pipelex.language.blueprints import MODEL_FAMILIES, ModelFamily

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from pipelex.inference import ModelDeck
    from pipelex.inference.deck.catalog import Catalog, ModelEntry
    from pipelex.inference.health import ServersHere
    from pipelex.pipes.models import ResolvedModel

_EXAMPLES = """\b
Examples:
  pipelex models
  pipelex models gpt
  pipelex models --type llm --all
  pipelex models --json"""

_LISTED: Final[tuple[ModelFamily, ...]] = tuple(family for family in MODEL_FAMILIES if family != "doc_gen")
"""The families among whose models a method's author chooses; `doc_gen` is left out, as each format has one engine."""

_READY: Final = "ready"
_SILENT: Final = "does not answer"
_UNSERVED: Final = "not there"
_SHOWN: Final = 6
"""The number of names that a folded line spells out."""

app = command_app()


@app.command(epilog=_EXAMPLES)
def models(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(help="List only names that contain this text or lead to a model that does, in any status."),
    ] = None,
    type_: Annotated[
        ModelFamily | None,
        typer.Option("--type", help="List only models of this kind."),
    ] = None,
    all_models: Annotated[
        bool, typer.Option("--all", "-a", help="List those whose backend lacks its credentials or is off, too.")
    ] = False,
    is_json: JsonFlag = False,
) -> None:
    """List the models that a method can name, and where each name leads.

    $name is a preset, @name an alias, ~name a waterfall; a plain name is a model itself. Callable models come first.
    Names that a stand-in answers to share one line, unless --all is given.
    """
    from pipelex.inference.health import ServersHere

    if name in FAMILIES:
        raise typer.BadParameter(f"'{name}' is a kind of model. Type: pipelex models --type {name}")
    deck = open_local_app(ctx).deck
    families: tuple[ModelFamily, ...] = _LISTED if type_ is None else (type_,)
    here = ServersHere.of(deck.catalog)
    with _quiet():
        found = sorted((row for family in families for row in _names(deck, family, here)), key=_rank)
    if name is not None:
        found, all_models = _named(found, name), True
    rows = [row for row in found if all_models or row.status == _READY]
    if is_json:
        from pipelex.cli._shared.results import print_json

        print_json({"models": [asdict(row) for row in rows]})
        return
    if not rows:
        say("No model can be called; see them all with: pipelex models --all")
        return
    _print(rows, folded=not all_models)
    if not all_models:
        _tell_left_out(deck.catalog, found)


def _named(rows: "list[_NameRow]", name: str) -> "list[_NameRow]":
    """The rows whose name or model contains the text; capitals do not matter.

    Raises:
        PipelexError: there are none (`model.unknown`).
    """
    wanted = name.lower()
    found = [row for row in rows if wanted in row.name.lower() or wanted in row.model.lower()]
    if not found:
        near = near_names(name, [row.name for row in rows])
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise PipelexError(
            "model.unknown",
            f"no name or model contains '{name}'{hint}",
            category=ErrorCategory.CONFIGURATION,
            params={"model": name, "suggestions": list(near)},
        )
    return found


def _tell_left_out(catalog: "Catalog", found: "Sequence[_NameRow]") -> None:
    """Name the configured servers of this machine that do not answer; others are not mentioned."""
    hidden = Counter(row.backend for row in found if row.status == _SILENT)
    for backend, count in hidden.items():
        if catalog.backends[backend].is_own:
            say(f"{backend} does not answer; {count} names that end there are left out")


@contextmanager
def _quiet() -> "Generator[None]":
    """Silence the log lines about models that stand in for others, because the list itself says so."""
    logger = logging.getLogger("pipelex.inference")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


@dataclass(frozen=True)
class _NameRow:
    """A name that a method can give as its model."""

    name: str
    type: ModelFamily
    model: str
    backend: str
    status: str
    stands_in: bool = False
    """Whether the model only stands in for what the name means."""


def _rank(row: _NameRow) -> tuple[bool, bool, int, bool]:
    """The sort key of a row: callable models first, and models before the names that lead to them."""
    return (
        row.status != _READY,
        row.stands_in,
        _LISTED.index(row.type) if row.type in _LISTED else 99,
        row.name[0] in "$@~",
    )


def _print(rows: list[_NameRow], *, folded: bool) -> None:
    """Print the rows; if folded, the names that lead to the same stand-in share one line."""
    shown = [row for row in rows if not (folded and row.stands_in)]
    if shown:
        cells = [
            [row.name, row.type, row.model, row.backend, "stands in" if row.stands_in else row.status] for row in shown
        ]
        out(table(cells, ["name", "type", "model", "backend", "status"], paint_out()))
    others: dict[tuple[str, str], list[_NameRow]] = {}
    for row in rows:
        if folded and row.stands_in:
            others.setdefault((row.type, row.backend), []).append(row)
    for (family, backend), found in others.items():
        (model, _), *_ = Counter(row.model for row in found).most_common(1)
        few = ", ".join(row.name for row in found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
        out()
        for line in wrapped(f"{model} of {backend} stands in for {len(found)} names of {family}: {few}", columns()):
            out(line)
    if others:
        tell_out("See each of them with: pipelex models --all")


def _entry(deck: "ModelDeck", model: "ResolvedModel", family: ModelFamily) -> "ModelEntry | None":
    """The catalog's entry for a resolved model; among language models, too, because they serve as judges."""
    kinds = (FAMILIES[family].model_type, FAMILIES["llm"].model_type)
    found = (deck.catalog.entry(model.backend, model.handle, kind) for kind in kinds)
    return next((entry for entry in found if entry is not None), None)


def _names(deck: "ModelDeck", family: ModelFamily, here: "ServersHere") -> "Iterator[_NameRow]":
    from pipelex.pipes.models import ModelChoice

    for name in deck.names(family):
        choice = ModelChoice(family=family, choice=name)
        try:
            model = deck.resolve(choice)
        except PipelexError as wrong:
            yield _NameRow(name, family, "", "", str(wrong.report.params.get("reason", wrong.code)))
            continue
        backend = deck.catalog.backends[model.backend]
        lacks = backend.lacks
        status = _READY if not deck.check(choice) else f"needs {' and '.join(lacks)}" if lacks else "not ready"
        if model.backend in here.silent:
            status = _SILENT
        elif (entry := _entry(deck, model, family)) is not None and here.lacks(entry, backend):
            status = _UNSERVED
        yield _NameRow(name, family, model.handle, model.backend, status, deck.is_stood_in(choice))

"""`pipelex models`."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from pipelex.cli._shared.console import out, paint_out, say, table
from pipelex.cli._shared.group import command_app
from pipelex.cli._shared.session import JsonFlag, open_local_app
from pipelex.errors import PipelexError
from pipelex.language.blueprints import MODEL_FAMILIES, ModelFamily

if TYPE_CHECKING:
    from pipelex.inference import ModelDeck

_EXAMPLES = """\b
Examples:
  pipelex models
  pipelex models --type llm --all
  pipelex models --json"""

_LISTED: Final[tuple[ModelFamily, ...]] = tuple(family for family in MODEL_FAMILIES if family != "doc_gen")
"""The families whose models a method's author chooses among; a document has one engine for each format."""

app = command_app()


@app.command(epilog=_EXAMPLES)
def models(
    ctx: typer.Context,
    type_: Annotated[
        ModelFamily | None,
        typer.Option("--type", help="Only models of this kind."),
    ] = None,
    all_models: Annotated[
        bool, typer.Option("--all", "-a", help="Also those whose backend lacks its credentials or is off.")
    ] = False,
    is_json: JsonFlag = False,
) -> None:
    """List what a method can name as its model, and what it leads to.

    $name is a preset, @name an alias, ~name a waterfall; a plain name is a model itself.
    """
    deck = open_local_app(ctx).deck
    families: tuple[ModelFamily, ...] = _LISTED if type_ is None else (type_,)
    rows = [row for family in families for row in _rows(deck, family, all_models=all_models)]
    if is_json:
        from pipelex.cli._shared.results import print_json

        print_json(
            {"models": [dict(zip(("name", "type", "model", "backend", "status"), row, strict=True)) for row in rows]}
        )
        return
    if not rows:
        say("No model can be called; see them all with: pipelex models --all")
        return
    out(table(rows, ["name", "type", "model", "backend", "status"], paint_out()))


def _rows(deck: "ModelDeck", family: "ModelFamily", *, all_models: bool) -> list[list[str]]:
    from pipelex.pipes.models import ModelChoice

    rows: list[list[str]] = []
    for name in deck.names(family):
        choice = ModelChoice(family=family, choice=name)
        try:
            model = deck.resolve(choice)
        except PipelexError as wrong:
            if all_models:
                rows.append([name, family, "", "", str(wrong.report.params.get("reason", wrong.code))])
            continue
        is_ready = not deck.check(choice)
        if is_ready or all_models:
            missing = deck.catalog.backends[model.backend].missing
            status = "ready" if is_ready else f"needs {', '.join(missing)}" if missing else "not ready"
            rows.append([name, family, model.handle, model.backend, status])
    return rows

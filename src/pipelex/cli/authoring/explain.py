"""`pipelex explain`."""

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelex.cli._shared.console import out, table, tell_out
from pipelex.cli._shared.group import Misuse, command_app
from pipelex.cli._shared.session import JsonFlag
from pipelex.cli._shared.streams import is_terminal, stdin_text
from pipelex.config.files.plain import read_plain_text
from pipelex.errors.json import Json

if TYPE_CHECKING:
    from pipelex.cli._shared.console import Paint
    from pipelex.errors.explanations import Explanation

_EXAMPLES = """\b
Examples:
  pipelex explain method.input_unused
  pipelex explain provider.rate_limited --json
  pipelex explain results/report_output_01/problem.json
  pipelex run report.mthds --json 2>&1 >/dev/null | pipelex explain -
  pipelex explain"""

_WIDEST = 100
"""The most columns that a page fills."""

app = command_app()


@app.command(epilog=_EXAMPLES)
def explain(
    code: Annotated[
        str | None,
        typer.Argument(
            metavar="CODE",
            help="A code, the address of an error, the type of a failure on Temporal, a problem document, or `-` to read one.",
        ),
    ] = None,
    is_json: JsonFlag = False,
) -> None:
    """Explain an error code: cause, fix and an example; without a code, list all of them."""
    if code is None:
        _list_all(is_json)
        return
    found = _found(code)
    if is_json:
        from pipelex.cli._shared.results import print_json

        print_json(_json_of(found))
    elif is_terminal(sys.stdout):
        _print_page(found.to_markdown())
    else:
        out(found.to_markdown().rstrip())


def _found(said: str) -> "Explanation":
    from pipelex.errors import CORE_CODES, error_type_name, near_names
    from pipelex.errors.explanations import explanation

    by_type = {error_type_name(code): code for code in CORE_CODES}
    code = by_type.get(said, _code_in(said.strip()))
    found = explanation(code)
    if found is not None:
        return found
    near = near_names(code, list(CORE_CODES))
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    raise Misuse(f"'{said}' is not a code.{hint} `pipelex explain` lists them all.")


def _code_in(said: str) -> str:
    """The code at the end of a URL, or in a problem document; anything else is taken for the code itself."""
    if "://" in said:
        return re.split(r"[/#]", said.rstrip("/"))[-1]
    if said == "-" or said.endswith(".json"):
        return _code_of_document(said)
    return said


def _code_of_document(source: str) -> str:
    try:
        text = stdin_text() if source == "-" else read_plain_text(Path(source))
        code = json.loads(text)["code"]
    except OSError as failed:
        raise Misuse(f"'{source}' cannot be read: {failed.strerror}") from None
    except (ValueError, KeyError, TypeError) as failed:
        raise Misuse(f"'{source}' holds no problem document: JSON with a member 'code'.") from failed
    return str(code)


def _json_of(found: "Explanation") -> dict[str, Json]:
    facts = found.facts
    known: dict[str, Json] = {
        "code": found.code,
        "cause": found.cause,
        "fix": found.fix,
        "example": found.text or found.bundle or found.body,
        "domain": facts.domain,
        "retry": facts.retry,
        "next_step": facts.next_step,
        "http_status": facts.status or None,
        "params": list(facts.params),
    }
    return {key: value for key, value in known.items() if value is not None}


def _list_all(is_json: bool) -> None:
    from pipelex.cli._shared.console import paint_out
    from pipelex.errors.explanations import explanations

    if is_json:
        from pipelex.cli._shared.results import print_json

        print_json([_json_of(each) for each in explanations()])
        return
    _print_list(list(explanations()), paint_out())


def _print_list(found: "list[Explanation]", paint: "Paint") -> None:
    rows = [(each.code, _first_sentence(each.cause)) for each in found if not each.is_servers]
    out(table(rows, ("code", "meaning"), paint))
    tell_out(f"\n{len(found) - len(rows)} more codes come only from protocol servers: `pipelex explain --json`.")


def _first_sentence(text: str) -> str:
    first, dot, _ = text.partition(". ")
    return f"{first}." if dot else text


def _print_page(text: str) -> None:
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    console.print(Markdown(text), width=min(console.width, _WIDEST))

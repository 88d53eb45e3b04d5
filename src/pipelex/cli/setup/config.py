"""`pipelex config`."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipelex.cli._shared.console import columns, out, paint_out, tell_out
from pipelex.cli._shared.group import Misuse, command_app
from pipelex.cli._shared.session import JsonFlag, ServerOption, settings_for
from pipelex.errors import near_names
from pipelex.errors.json import Json

if TYPE_CHECKING:
    from pipelex.config import Settings

_EXAMPLES = """\b
Examples:
  pipelex config show --origin
  pipelex config show temporal.worker_config
  pipelex config show --json | jq '."run.execution"'
  pipelex config schema pipelex
  pipelex config schema --output-dir .pipelex/schemas"""

app = command_app(no_args_is_help=True)


@app.callback(epilog=_EXAMPLES)
def config() -> None:
    """Show the settings in force, or the schemas of the files."""


@app.command(epilog=_EXAMPLES)
def show(
    ctx: typer.Context,
    prefix: Annotated[str, typer.Argument(metavar="PREFIX", help="Only keys below this table.")] = "",
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value comes from.")] = False,
    server: ServerOption = None,
    is_json: JsonFlag = False,
) -> None:
    """Print every value in force; secrets are masked."""
    settings = settings_for(ctx, server=server)
    values = {key: (value, str(where)) for key, value, where in [*settings.effective(), *_connection(settings)]}
    found = [
        (key, value, where)
        for key, (value, where) in values.items()
        if not prefix or key == prefix or key.startswith(prefix.rstrip(".") + ".")
    ]
    if not found:
        near = near_names(prefix, {key[:end] for key in values for end in _ends(key)})
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise Misuse(f"no setting is called '{prefix}', or begins with it{hint}")
    if is_json:
        from pipelex.cli._shared.results import print_json

        print_json({key: {"value": value, "origin": where} for key, value, where in found})
        return
    paint, room = paint_out(), columns(sys.stdout)
    width = max((len(f"{key} = {_toml(value)}") for key, value, _ in found), default=0)
    for key, value, where in found:
        line, source = f"{key} = {_toml(value)}", paint(f"# {where}", "dim")
        beside = f"{line:<{min(width, 72)}}  "
        fits = room is None or len(f"{beside}# {where}") <= room
        tell_out(line if not origin else f"{beside}{source}" if fits else f"{line}\n    {source}")


@app.command(epilog=_EXAMPLES)
def schema(
    target: Annotated[
        Literal["pipelex", "backends", "models", "routing", "deck"] | None,
        typer.Argument(metavar="TARGET", help="pipelex, backends, models, routing or deck: printed."),
    ] = None,
    output_dir: Annotated[
        Path | None, typer.Option("--output-dir", "-o", metavar="DIR", help="Write a file for each kind instead.")
    ] = None,
) -> None:
    """Write JSON Schemas of configuration files, for editors.

    There is one for each of pipelex.toml, backends.toml, backends/<backend>.toml (models), routing_profiles.toml and
    deck/*.toml.
    """
    from pipelex.runner import CONFIG_SCHEMAS

    if target is None and output_dir is None:
        raise Misuse(f"name a file ({', '.join(CONFIG_SCHEMAS)}), or a folder with --output-dir")
    for name in CONFIG_SCHEMAS if target is None else (target,):
        text = json.dumps(CONFIG_SCHEMAS[name](), indent=2, ensure_ascii=False)
        if output_dir is None:
            out(text)
            continue
        output_dir.mkdir(parents=True, exist_ok=True)
        file = output_dir / f"{name}.schema.json"
        file.write_text(text + "\n", encoding="utf-8")
        out(str(file))


def _ends(key: str) -> list[int]:
    """The positions in a dotted key where the name of a table ends, and the key's length."""
    return [index for index, character in enumerate(key) if character == "."] + [len(key)]


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _connection(settings: "Settings") -> list[tuple[str, Json, str]]:
    """The connection that a client would use, with `TEMPORAL_*` variables and a `temporal.toml` taken into account."""
    from pipelex.errors import ConfigurationError
    from pipelex.temporal.config import connection, parse_temporal_config

    try:
        found = connection(parse_temporal_config(settings), settings)
    except ConfigurationError as wrong:
        return [("(temporal connection)", wrong.report.detail, "not usable")]
    values: dict[str, Json] = {
        "target_host": found.target_host,
        "namespace": found.namespace,
        "api_key": "********" if found.api_key is not None else "",
        "tls": found.tls is not None,
    }
    return [(f"(temporal connection).{key}", value, found.sources.get(key, "default")) for key, value in values.items()]

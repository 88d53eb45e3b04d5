"""`pipelex init`."""

import re
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from pipelex.cli._shared.console import paint_out, say, tell_out
from pipelex.cli._shared.flags import with_flags
from pipelex.cli._shared.group import Misuse, command_app
from pipelex.cli.setup.gateway import GatewayFlags

if TYPE_CHECKING:
    from pipelex.config import Settings
    from pipelex.inference.deck.endpoint_file import OwnEndpoint

_EXAMPLES = """\b
Examples:
  pipelex init
  pipelex init --local
  pipelex init --endpoint http://localhost:11434/v1 --model llama3.2
  pipelex init --endpoint https://models.example.com/v1 --model my-model --key-variable MY_KEY
  pipelex init --endpoint https://gateway.example.com/v1 --model m --header X-Team=support --ca-bundle our-ca.pem
  pipelex init config --local"""

_HEADER: Final = """\
# Settings of Pipelex. Every setting is here, commented out, with its default value: uncomment what you change.
#
# "${NAME}" and "${NAME:-default}" are filled in from the environment and from `.env`.
# `pipelex config show --origin` prints every value in force and the file and line it comes from.
"""

_TABLE: Final = re.compile(r"\[[^\[\]=]+\]\s*(#.*)?")

_BACKENDS: Final = """\
# Endpoints of your own, laid over those that come with Pipelex, which `pipelex show backends` lists. One table is enough:
#
#   [mine]
#   endpoint = "https://models.example.com/v1" # whatever speaks OpenAI's protocol
#   api_key  = "${MINE_API_KEY}"
#   models   = ["my-model"]
#
# `pipelex init --endpoint URL --model NAME` writes one.
"""

_OF_ENDPOINT: Final = "--model, --key-variable, --name, --header, --ca-bundle, --no-verify and --token-parameter"

app = command_app()


@app.command(epilog=_EXAMPLES)
@with_flags(GatewayFlags)
def init(
    what: Annotated[
        Literal["all", "config", "inference"] | None,
        typer.Argument(metavar="all|config|inference", help="Write commented files instead of asking questions."),
    ] = None,
    local: Annotated[
        bool, typer.Option("--local", "-l", help="Write into ./.pipelex of this project, not into the home directory.")
    ] = False,
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", metavar="URL", help="An endpoint that speaks OpenAI's protocol.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", metavar="NAME", help="A model it serves; the first is the default.")
    ] = None,
    key_variable: Annotated[
        str | None, typer.Option("--key-variable", metavar="NAME", help="The variable that holds its key.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="ID", help="The name of the endpoint.")] = None,
    *,
    flags: GatewayFlags,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files, and name each one.")] = False,
) -> None:
    """Make an endpoint the default: answer at most three questions, or give flags.

    With your consent, it looks for model servers on this machine. It keeps existing files and names them. The files
    it writes need no trust.
    """
    from pipelex.config import load_settings

    settings = load_settings()
    folder = Path(".pipelex") if local else settings.home_dir
    if what is not None:
        if endpoint or model or key_variable or name or flags.are_given:
            raise Misuse(f"{what} writes commented files, and takes neither --endpoint nor what belongs to it")
        for path, text in _files(what):
            _write(folder / path, text, force=force)
        return
    if endpoint is None and (model or key_variable or name or flags.are_given):
        raise Misuse(f"{_OF_ENDPOINT} belong to --endpoint URL")
    own = (
        _asked(settings)
        if endpoint is None
        else _from_flags(settings, endpoint, model or (), key_variable, name, flags)
    )
    if own is not None:
        _write_endpoint(settings, folder.absolute(), own)
    _tell_next()


def _asked(settings: "Settings") -> "OwnEndpoint | None":
    from pipelex.cli.setup.endpoint_asked import ask_endpoint, can_ask

    if can_ask():
        return ask_endpoint(settings.environ)
    for path, text in _files("all"):
        _write(settings.home_dir / path, text, force=False)
    say("There is no terminal to ask questions at; name an endpoint with: pipelex init --endpoint URL --model NAME")
    return None


def _from_flags(
    settings: "Settings",
    endpoint: str,
    models: "list[str] | tuple[()]",
    variable: str | None,
    name: str | None,
    gateway: GatewayFlags,
) -> "OwnEndpoint":
    from pipelex.cli.setup.endpoint_asked import checked_endpoint

    access = gateway.access(settings.environ)
    own = checked_endpoint(endpoint, models, variable=variable, name=name, environ=settings.environ, access=access)
    return replace(
        own,
        headers=gateway.headers,
        ca_bundle=gateway.ca_bundle,
        verify=gateway.verify,
        token_parameter=gateway.token_parameter,
    )


def _write_endpoint(settings: "Settings", folder: Path, own: "OwnEndpoint") -> None:
    from pipelex.inference.deck.endpoint_file import write_endpoint

    file = write_endpoint(folder, own, settings.home_dir)
    tell_out(f"{paint_out()('wrote', 'green')} [{own.backend}] in {file}")
    say(f"{own.models[0]} now serves every standard name.")
    variable = own.key_variable
    if variable is not None and not settings.environ.get(variable):
        say(f"Its key is read from {variable}, which is not set yet: export {variable}=…")


def _tell_next() -> None:
    say("\nNext:\n\n  pipelex new my_method\n  pipelex run my_method")


def _files(what: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if what in ("all", "config"):
        packaged = resources.files("pipelex.config") / "defaults" / "pipelex.toml"
        found.append(("pipelex.toml", commented(packaged.read_text(encoding="utf-8"))))
    if what in ("all", "inference"):
        found.append(("inference/backends.toml", _BACKENDS))
    return found


def commented(text: str) -> str:
    """A settings file in which the tables stay and every value is commented out."""
    lines = text.splitlines()
    start = next(index for index, line in enumerate(lines) if _TABLE.fullmatch(line))
    found = [
        line if not line or line.startswith("#") or _TABLE.fullmatch(line) else f"# {line}" for line in lines[start:]
    ]
    return "\n".join([_HEADER, *found]) + "\n"


def _write(path: Path, text: str, *, force: bool) -> None:
    paint = paint_out()
    is_there = path.exists()
    if is_there and not force:
        same = path.read_text(encoding="utf-8") == text
        tell_out(f"{paint('kept', 'dim'):<8} {path}{'' if same else '  (differs from the packaged one)'}")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    tell_out(f"{paint('replaced', 'yellow') if is_there else paint('wrote', 'green'):<8} {path}")

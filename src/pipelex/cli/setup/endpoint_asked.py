"""The questions of `pipelex init`, at most three, for whatever its flags leave open."""

import asyncio
import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import typer

from pipelex.cli._shared.console import say
from pipelex.cli._shared.group import Misuse
from pipelex.cli._shared.streams import is_terminal

if TYPE_CHECKING:
    from pipelex.inference.deck.endpoint_file import OwnEndpoint
    from pipelex.inference.local_servers import EndpointAccess, EndpointListing, LocalModelServer

_OLLAMA: Final = "ollama"
"""The name of the packaged backend for Ollama, and of the client that speaks its protocol."""
_OWN_CA: Final = "name its file with --ca-bundle FILE"
_MOST_OFFERED: Final = 20
"""The most models that are offered as a choice."""


def can_ask() -> bool:
    """Whether a person is at the terminal to answer."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def ask_endpoint(environ: Mapping[str, str]) -> "OwnEndpoint | None":
    """Ask for an endpoint: first for consent to look for local servers and for a model, or else for an address.

    Returns:
        The endpoint; None if the user wants none.
    """
    from pipelex.inference.local_servers import find_local_servers, usual_places

    places = usual_places(environ)
    ports = ", ".join(f"{urlsplit(root).port} {name}" for name, root in places)
    offered: list[tuple[LocalModelServer, str]] = []
    if typer.confirm(f"Look for servers of models on this machine (ports {ports})?", default=True, err=True):
        found = asyncio.run(find_local_servers(places))
        offered = [(server, model) for server in found for model in server.models][:_MOST_OFFERED]
        if not offered:
            say("None answers.")
        elif (chosen := _choose(offered)) is not None:
            return chosen
    question = "Address of an endpoint that speaks OpenAI's protocol, and a model of it (empty for none)"
    said: list[str] = typer.prompt(question, default="", show_default=False, err=True).split()
    if not said:
        return None
    return checked_endpoint(said[0], said[1:], environ=environ, may_ask=not offered)


def _choose(offered: "Sequence[tuple[LocalModelServer, str]]") -> "OwnEndpoint | None":
    from pipelex.inference.deck.endpoint_file import OwnEndpoint

    for number, (server, model) in enumerate(offered, 1):
        say(f"  {number}  {model} ({server.name} at {server.endpoint})")
    say("  0  another endpoint")
    answer = typer.prompt("Which one", default="1", err=True).strip()
    while not (answer.isdecimal() and int(answer) <= len(offered)):
        answer = typer.prompt(f"A number up to {len(offered)}", default="1", err=True).strip()
    if int(answer) == 0:
        return None
    server, first = offered[int(answer) - 1]
    models = [first, *(model for model in server.models if model != first)]
    return OwnEndpoint(server.endpoint, models, name=_OLLAMA if server.is_ollama else None)


def checked_endpoint(
    endpoint: str,
    models: Sequence[str],
    *,
    variable: str | None = None,
    name: str | None = None,
    environ: Mapping[str, str],
    may_ask: bool = True,
    access: "EndpointAccess | None" = None,
) -> "OwnEndpoint":
    """An endpoint, after asking it which models it serves and whether it needs a key.

    Args:
        endpoint: its address, as typed.
        models: the models that it serves, the default first; if empty, those that it lists itself.
        variable: the environment variable that holds its key; if None, one is chosen when the endpoint needs a key.
        name: the id of its table.
        environ: the environment.
        may_ask: whether a person may be asked to choose a model; otherwise the first listed one is taken.
        access: what the endpoint needs besides a key.

    Raises:
        Misuse: the address is not valid, or no model is named and none can be determined.
    """
    from pipelex.inference.deck.endpoint_file import OwnEndpoint, usual_variable
    from pipelex.inference.local_servers import EndpointAccess, list_endpoint

    access = access or EndpointAccess()
    address = _address(endpoint)
    _check_names(variable, name)
    listing = asyncio.run(list_endpoint(address, environ.get(variable) if variable else None, access))
    if variable is None and listing.needs_key:
        variable = usual_variable(address)
        if environ.get(variable):
            listing = asyncio.run(list_endpoint(address, environ[variable], access))
    _check_that_a_model_can_be_told(address, listing, models, may_ask=may_ask)
    _tell(address, listing, models, variable if variable and environ.get(variable) else None)
    api_key = f"${{{variable}}}" if variable else None
    named = list(models) or [_model(listing, may_ask=may_ask)]
    if listing.is_ollama and api_key is None:
        return OwnEndpoint(address, named, name=name or _OLLAMA, sdk=_OLLAMA if name not in (None, _OLLAMA) else None)
    return OwnEndpoint(address, named, api_key, name)


def _check_names(variable: str | None, name: str | None) -> None:
    """Refuse names that a variable or a table cannot have.

    Raises:
        Misuse: a name is not valid.
    """
    if variable is not None and not re.fullmatch(r"[A-Za-z_]\w*", variable, re.ASCII):
        raise Misuse(
            f"--key-variable names a variable of the environment, such as MY_API_KEY; {variable!r} is not a name"
        )
    if name is not None and not re.fullmatch(r"[\w-]+", name, re.ASCII):
        raise Misuse(f"--name is of letters, digits, '_' and '-'; {name!r} is not")


def _check_that_a_model_can_be_told(
    address: str, listing: "EndpointListing", models: Sequence[str], *, may_ask: bool
) -> None:
    """Refuse an endpoint whose model is neither named nor evident, if nobody can be asked.

    Raises:
        Misuse: no model is named, and the endpoint lists none or several.
    """
    if models or len(listing.models) == 1 or (listing.models and not may_ask) or (may_ask and can_ask()):
        return
    if listing.models:
        why = f"it serves {', '.join(listing.models[:_MOST_OFFERED])}"
    elif listing.needs_key:
        why = "it lists its models only to those with a key"
    elif listing.is_strange:
        why = f"its certificate was issued by an authority that is not known here, so they cannot be listed; {_OWN_CA}"
    else:
        why = "it lists none" if listing.is_there else "it does not answer now, so they cannot be listed"
    raise Misuse(f"name a model of {address} with --model NAME; {why}")


def _tell(address: str, listing: "EndpointListing", models: Sequence[str], variable: str | None) -> None:
    from pipelex.inference.health import is_listed

    if listing.is_strange:
        say(f"Note: the certificate of {address} was issued by an authority that is not known here; {_OWN_CA}.")
    elif not listing.is_there:
        say(f"Note: {address} does not answer now.")
    elif listing.needs_key and variable:
        say(f"Note: {address} refuses the key of {variable}.")
    missing = [model for model in models if listing.models and not is_listed(model, listing.models)]
    if missing:
        say(f"Note: {address} does not list {', '.join(missing)}, but {', '.join(listing.models[:5])}.")


def _model(listing: "EndpointListing", *, may_ask: bool) -> str:
    served = listing.models
    if len(served) == 1 or (served and not may_ask):
        return served[0]
    if served:
        say(f"It serves {', '.join(served[:_MOST_OFFERED])}.")
    found: str = typer.prompt("Name of the model", default=served[0] if served else None, err=True)
    return found


def _address(endpoint: str) -> str:
    """The typed address as the URL of an endpoint; the fallback scheme is `http`."""
    from pipelex.inference.deck.endpoints import base_of

    text = endpoint if "://" in endpoint else f"http://{endpoint}"
    try:
        parts = urlsplit(text)
        is_host = bool(parts.hostname) and not any(map(str.isspace, text))
        is_url = parts.scheme in ("http", "https") and is_host and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise Misuse(f"{endpoint!r} is not the address of an endpoint; write it as in http://localhost:11434/v1")
    text = base_of(text)
    return f"{text.rstrip('/')}/v1" if urlsplit(text).path in ("", "/") else text.rstrip("/")

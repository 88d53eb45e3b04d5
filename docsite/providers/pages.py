"""The page of a provider: install, credentials, a method to try, sending everything there, its models."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from docsite.providers.examples import EXAMPLES, Example, example
from docsite.providers.facts import BackendFacts, Model, backends, defaults, profile
from docsite.providers.notes import KEY_AT, NOTES, TRIED, VALUES
from docsite.providers.servers import SERVERS, server_page
from pipelex.language.blueprints import ModelFamily

FOLDER: Final = "how-to/providers"

LEFT_OUT: Final = {"internal": "reads and prints files in this process, and calls nobody"}
"""The backends without a page, and the reason for each."""

_KEYS: Final = ("api_key",)
_WORDS: Final = {
    "api_key": "the key",
    "endpoint": "the address of your resource",
    "api_version": "the version of the API",
    "aws_region": "the region",
    "gcp_project_id": "the project",
    "gcp_location": "the region",
    "gcp_credentials_file_path": "the file of a service account",
    "model_path": "a model file of your own",
    "cache_dir": "the folder that models are kept in",
}


def provider_pages() -> Mapping[str, Callable[[], str]]:
    """The pages by their place in the site."""
    made = {
        f"{FOLDER}/{name}.md": partial(provider_page, each) for name, each in backends().items() if name not in LEFT_OUT
    }
    return made | {f"{FOLDER}/{each.id}.md": partial(server_page, each) for each in SERVERS}


def provider_page(backend: BackendFacts) -> str:
    """The page of a packaged backend, as Markdown."""
    return "\n".join(
        [
            f"# Use {backend.title}\n",
            *_install(backend),
            *_credentials(backend),
            *_note(backend),
            *_tries(backend),
            *_routing(backend),
            *_models(backend),
        ]
    )


def _install(backend: BackendFacts) -> Iterator[str]:
    yield "## Install\n"
    if not backend.extras:
        yield "Nothing has to be installed for it.\n" if backend.id != "local" else _command_to_install("local")
        if backend.other_client:
            yield (
                f"Its models are reached over OpenAI's protocol. To use the maker's own client, install the extra "
                f'`{backend.other_client}`, and give a model `sdk = "{backend.id}"` in `inference/backends/{backend.id}.toml`.\n'
            )
        return
    yield _command_to_install(",".join(backend.extras))
    if backend.has_stand_ins:
        yield "Without the extra, its language models are reached over the OpenAI-compatible endpoint of the same provider.\n"


def _command_to_install(extras: str) -> str:
    return (
        "<!-- not run: the reader of an executed page has it installed -->\n"
        f'```console\n$ pip install ".[{extras}]"   # in a checkout; a wheel takes the same extra\n```\n'
    )


def _credentials(backend: BackendFacts) -> Iterator[str]:
    needed = [each for each in backend.variables if each.is_needed]
    if not backend.is_enabled:
        yield "## Switch it on\n"
        yield "It is off as packaged. One line switches it on, in the project or in `~/.pipelex/inference/backends.toml`:\n"
        yield f'```toml title=".pipelex/inference/backends.toml"\n[{backend.id}]\nenabled = true\n```\n'
    if needed:
        yield "## Set the credentials\n"
        lines = [f"$ export {each.name}={VALUES.get(each.name, 'your-key')}" for each in needed]
        yield "```console\n" + "\n".join(lines) + "\n```\n"
    yield from _variables(backend)
    if backend.id in KEY_AT:
        yield f"Keys are given out at <{KEY_AT[backend.id]}>.\n"
    if any(each.key in _KEYS for each in needed):
        yield "A key may also be [a secret](../providers.md#keys). It never appears in logs, errors or results.\n"


def _variables(backend: BackendFacts) -> Iterator[str]:
    rows = [
        f"| `{each.name}` | {_WORDS[each.key]} | {'yes' if each.is_needed else 'no'} |" for each in backend.variables
    ]
    rows += [f"| `{name}` | another address than the packaged one | no |" for name in backend.address_variables]
    if rows:
        yield "| variable | holds | needed |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def _note(backend: BackendFacts) -> Iterator[str]:
    if (note := NOTES.get(backend.id)) is not None:
        yield (note.replace("DEFAULTS", defaults(backend.id)) if "DEFAULTS" in note else note) + "\n"


def _tries(backend: BackendFacts) -> Iterator[str]:
    yield "## Try it\n"
    for family in backend.families:
        if family in EXAMPLES:
            yield from _try(example(family, _tried(backend, family)))
    yield "`pipelex doctor` asks the provider whether it takes the key:\n"
    yield "<!-- not run: it asks the provider over the network -->\n```console\n$ pipelex doctor\n```\n"


def _tried(backend: BackendFacts, family: ModelFamily) -> str:
    return TRIED.get(backend.id, backend.first(family)) if family == "llm" else backend.first(family)


def _try(tried: Example) -> Iterator[str]:
    yield f'```toml title="{tried.file}"\n{tried.text}```\n'
    yield f"```console\n$ pipelex validate {tried.file}\n✓ {tried.file}: valid, 1 pipe\n```\n"
    yield (
        "<!-- not run: it asks the provider over the network -->\n"
        f"```console\n$ pipelex run {tried.file} {tried.arguments}\n```\n"
    )


def _routing(backend: BackendFacts) -> Iterator[str]:
    file = profile(f"all_{backend.id}")
    if file is None:
        return
    yield "## Send everything there\n"
    yield (
        "With several keys, presets such as `$writing-factual` lead to the first model of their list that a key reaches. This\n"
        f"profile leaves only {backend.title}:\n"
    )
    yield f'```toml title=".pipelex/inference/routing_profiles.toml"\n{file}\n```\n'
    yield f"```console\n$ pipelex models --all\n…{_tried(backend, 'llm')}…{backend.id}…\n```\n"


def _models(backend: BackendFacts) -> Iterator[str]:
    yield "## Models\n"
    rows = [_row(model) for model in backend.models if not model.is_stand_in]
    yield "| model | for | takes |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    yield f"```console\n$ pipelex show models {backend.id}\n…{_tried(backend, backend.families[0])}…\n```\n"
    if missing := sorted({model.sdk for model in backend.models if not model.has_client}):
        yield _without_client(missing)


def _row(model: Model) -> str:
    return f"| `{model.name}` | {_FOR[model.family]} | {', '.join(model.inputs)} |"


def _without_client(sdks: Sequence[str]) -> str:
    named = ", ".join(f"`{sdk}`" for sdk in sdks)
    return (
        f"This release has no client for {named}; another distribution can add one by an entry point of the group\n"
        "`pipelex.providers`. Until then a language model answers in its place.\n"
    )


_FOR: Final = {
    "llm": "texts and objects",
    "extract": "reading documents",
    "img_gen": "images",
    "search": "search",
    "judgment": "judgments",
    "doc_gen": "printing files",
}

"""The pages of servers and gateways that speak OpenAI's protocol and are not packaged backends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Server:
    """A server or a gateway of the reader's own."""

    id: str
    title: str
    endpoint: str
    model: str
    """A model, under the name that the server uses."""
    start: str
    """The command that starts it; empty when there is none to show."""
    intro: str
    variable: str | None = None
    """The variable that holds its key; None for a server without one."""
    notes: str = ""

    @property
    def table(self) -> str:
        """The table of `backends.toml`."""
        key = f'api_key  = "${{{self.variable}}}"\n' if self.variable else ""
        return f'[{self.id}]\nendpoint = "{self.endpoint}"\n{key}models   = ["{self.model}"]\n'


SERVERS: Final[Sequence[Server]] = (
    Server(
        "vllm",
        "vLLM",
        "http://localhost:8000/v1",
        "Qwen/Qwen3-8B",
        "vllm serve Qwen/Qwen3-8B",
        "vLLM serves models of your own on your own GPUs, and speaks OpenAI's protocol.",
        notes='Where the server was started with `--api-key`, add `api_key = "${VLLM_API_KEY}"` to the table.',
    ),
    Server(
        "lm-studio",
        "LM Studio",
        "http://localhost:1234/v1",
        "qwen3-8b",
        "lms server start",
        "LM Studio serves the models that you have loaded in it, on this machine.",
        notes="The name of a model is the one that `lms ls` shows. Load it with a context that is long enough for your documents.",
    ),
    Server(
        "llama-cpp",
        "llama.cpp",
        "http://localhost:8080/v1",
        "local",
        "llama-server -m model.gguf --jinja",
        "`llama-server` serves one GGUF file. It answers whatever a model is called.",
    ),
    Server(
        "gateway",
        "a gateway of your company",
        "https://models.example.com/v1",
        "gpt-5.4",
        "",
        "LiteLLM, Kong, Portkey and others stand between programs and several providers, with one key and one address.",
        variable="GATEWAY_API_KEY",
        notes="""Gateways differ in what they pass on:

| key of the table | for a gateway that |
|---|---|
| `headers = { "X-Team" = "support" }` | wants headers of its own |
| `ca_bundle = "our-ca.pem"` | has a certificate of your own authority |
| `token_parameter = "max_completion_tokens"` | passes requests on to models that reject `max_tokens`, such as OpenAI's newer ones |
| `idempotency_header = ""` | refuses the header `Idempotency-Key` |

Where the gateway uses the names of the packaged models, `OPENAI_BASE_URL` together with `OPENAI_API_KEY` is enough, and no
table is needed.""",
    ),
)
"""The servers with a page."""


def server_page(server: Server) -> str:
    """The page of a server, as Markdown."""
    started = (
        f"## Start it\n\n<!-- not run: it is another program -->\n```console\n$ {server.start}\n```\n"
        if server.start
        else ""
    )
    key = f"```console\n$ export {server.variable}=your-key\n```\n" if server.variable else ""
    return f"""# Use {server.title}

{server.intro}

{started}
## Name it

This table goes into `~/.pipelex/inference/backends.toml`. (Here, `HOME` is a folder of its own, so that nothing else is in
the way.)

```toml title="home/.pipelex/inference/backends.toml"
{server.table}```

{key}
```console
$ env -u OPENAI_API_KEY HOME=$PWD/home pipelex models --all
…{server.model}…{server.id}…
```

{server.notes}

## Try it

```toml title="ask.mthds"
domain    = "try_it"
main_pipe = "try_it"

[pipe.try_it]
type        = "PipeLLM"
description = "Explain a word"
inputs      = {{ word = "Text" }}
output      = "Text"
prompt      = "Explain in one sentence: $word"
model       = "{server.model}"
```

```console
$ env -u OPENAI_API_KEY HOME=$PWD/home pipelex validate ask.mthds
✓ ask.mthds: valid, 1 pipe
```

<!-- not run: the server of this page is the reader's own -->
```console
$ pipelex run ask.mthds -i word=ebb
```

As long as it is the only backend with credentials, its first model answers to every standard name. With
`is_default = true` it does so beside other keys, too. [Use an endpoint of your own](../endpoint.md) has all of it.
"""

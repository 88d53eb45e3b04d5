"""Writing `.pipelex/inference` directories for tests."""

from pathlib import Path
from textwrap import dedent

STUB_BACKENDS = """
[openai]
endpoint = "{url}"
api_key  = "{api_key}"
"""

STUB_MODELS = """
[defaults]
sdk              = "openai"
structure_method = "instructor/openai_tools"
inputs           = ["text", "images", "pdf"]
outputs          = ["text", "structured"]

[stub]
costs = { input = 2.0, input_cached = 0.5, output = 8.0 }

[stub-native]
structure_method = "instructor/openai_structured_outputs"

[stub-json]
structure_method = "instructor/json"

[stub-markdown]
structure_method = "instructor/md_json"

[stub-text]
inputs  = ["text"]
outputs = ["text"]
"""

OTHER_MODELS = """
[gpt-image-1]
model_type = "img_gen"
sdk        = "openai_img_gen"
outputs    = ["image"]

[linkup-standard]
model_type = "search"
sdk        = "linkup"
outputs    = ["sourced-answers"]

[stub-judge]
model_type = "judgment"
sdk        = "typesafe"
outputs    = ["judgments"]
"""
"""Models that are only resolved, in dry runs."""

STUB_ROUTING = """
active = "stub"
[profiles.stub]
description = "Everything at the test server"
default     = "openai"
"""

STUB_DECK = """
[llm.choice_defaults]
for_text   = "@stub"
for_object = "@stub"
[llm.aliases]
stub = "stub"
"""


def write(directory: Path, **files: str) -> Path:
    """Write files; `backends__openai` is `backends/openai.toml`."""
    for name, text in files.items():
        path = directory / (name.replace("__", "/") + ".toml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    return directory


def write_stub_inference(
    directory: Path, url: str, *, api_key: str = "test-key-0123456789", models: str = STUB_MODELS
) -> Path:
    """An `inference` directory whose backend `openai` is the server at `url`, with the models `stub`, `stub-native`, ….

    Args:
        directory: the `inference` directory; made when it is missing.
        url: the server's endpoint, with `/v1`.
        api_key: the key, or a `${VARIABLE}`.
        models: the models of the backend, as the text of their file.
    """
    return write(
        directory,
        backends=STUB_BACKENDS.format(url=url, api_key=api_key),
        backends__openai=models,
        routing_profiles=STUB_ROUTING,
        deck__1_stub=STUB_DECK,
    )

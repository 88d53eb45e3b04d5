"""The hand-written texts about providers, which add what the declared facts do not say."""

from collections.abc import Mapping
from typing import Final

VALUES: Final[Mapping[str, str]] = {
    "AWS_REGION": "eu-central-1",
    "AZURE_API_BASE": "https://your-resource.openai.azure.com",
    "AZURE_API_VERSION": "2024-10-21",
    "AZURE_DOCUMENT_INTELLIGENCE_ENDPOINT": "https://your-resource.cognitiveservices.azure.com",
    "GCP_LOCATION": "europe-west4",
    "GCP_PROJECT_ID": "your-project",
}
"""Example values for the variables that hold no key."""

KEY_AT: Final[Mapping[str, str]] = {
    "anthropic": "https://console.anthropic.com/settings/keys",
    "fal": "https://fal.ai/dashboard/keys",
    "google": "https://aistudio.google.com/apikey",
    "groq": "https://console.groq.com/keys",
    "huggingface": "https://huggingface.co/settings/tokens",
    "linkup": "https://app.linkup.so",
    "mistral": "https://console.mistral.ai/api-keys",
    "openai": "https://platform.openai.com/api-keys",
    "openrouter": "https://openrouter.ai/settings/keys",
    "tavily": "https://app.tavily.com",
    "xai": "https://console.x.ai",
}
"""Where the provider's own site gives out keys."""

TRIED: Final[Mapping[str, str]] = {
    "anthropic": "claude-4.5-haiku",
    "google": "gemini-2.5-flash",
    "mistral": "mistral-small",
    "openai": "gpt-5.4-mini",
    "openrouter": "gpt-5.4-mini",
    "azure_openai": "gpt-5.4-mini",
    "xai": "grok-3-mini",
}
"""The language model that a page uses, where it is not the first one in the backend's file."""

NOTES: Final[Mapping[str, str]] = {
    "anthropic": """With Anthropic's own client, models read PDF files and think: `reasoning_effort` in a pipe's table of settings says
how much. The OpenAI-compatible endpoint takes texts and images only.

Claude is also served by [Amazon Bedrock](bedrock.md) and [OpenRouter](openrouter.md).""",
    "azure_document_intelligence": """It reads PDF, images, Word, PowerPoint, Excel and HTML, and gives each page as Markdown with its figures. Azure's
prices depend on the region and the plan, so none come with the package. To have the cost of runs counted, give the model a
price. The file replaces the packaged one:

```toml title=".pipelex/inference/backends/azure_document_intelligence.toml"
DEFAULTS

[azure-document-intelligence]
model_id = "prebuilt-layout"
costs    = { input = 0.01 } # US dollars for a page
```""",
    "azure_openai": """In Azure, a model is reached by the name of a *deployment*. Where yours are not called like the models, say so
in a file of your own, which replaces the packaged one:

```toml title=".pipelex/inference/backends/azure_openai.toml"
DEFAULTS

["gpt-5.4"]
model_id = "our-gpt-54"

["gpt-5.4-mini"]
model_id = "our-mini"
```

`api_version` is the version of Azure's API, not of the model. An endpoint that ends in `/openai/v1` needs none.""",
    "bedrock": """Credentials are whatever the AWS client finds: variables, `~/.aws`, the role of a machine or a pod. To name them in
`backends.toml`, write one of these beside `enabled`:

| key | |
|---|---|
| `aws_profile` | a profile of `~/.aws/config` |
| `aws_access_key_id` and `aws_secret_access_key`, with `aws_session_token` where there is one | a pair of keys |
| `api_key` | an API key of Bedrock's |

To use an inference profile of your region, give its id as the `model_id` of a model. The file replaces the packaged one:

```toml title=".pipelex/inference/backends/bedrock.toml"
DEFAULTS

["claude-4.5-haiku"]
model_id = "eu.anthropic.claude-haiku-4-5-20251001-v1:0"

["claude-4.5-sonnet"]
model_id = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
```""",
    "google": """With Google's own client, models also read PDF files and make images. The OpenAI-compatible endpoint serves language
models only. Gemini is also served by [Vertex AI](vertexai.md), with the credentials of a Google Cloud project.""",
    "linkup": """`linkup-standard` and `linkup-deep` search; `linkup-fetch` reads one web page, for a `PipeExtract`.""",
    "local": """The model is made for trying things out on a machine without a key: it is 135 million parameters small, and its answers
show it. It is fetched once, 93 MB, into the cache. `PIPELEX_LOCAL_MODEL` names a GGUF file of your own instead:

<!-- not run: the file is the reader's own -->
```console
$ export PIPELEX_LOCAL_MODEL=/models/qwen3-8b-q4.gguf
```

For larger models, serve them by [Ollama](ollama.md), [LM Studio](lm-studio.md) or [vLLM](vllm.md).""",
    "mistral": """The same key reads documents: `mistral-ocr` is a model for a `PipeExtract`, and takes scans, photos, Word and
PowerPoint files. Its price is per page.""",
    "ollama": """A model must be pulled before it is asked for: `ollama pull llama3.2`. Models that are not in the table below are
named in a table of your own, under the name that `ollama list` shows:

```toml title=".pipelex/inference/backends.toml"
[ollama]
models = ["phi4:14b"]
```

A server on another machine is named by `OLLAMA_HOST` or `OLLAMA_BASE_URL`. While nothing listens there,
`pipelex models` leaves its models out.""",
    "openai": """`OPENAI_BASE_URL` sends the key and the requests to another address, as it does for OpenAI's own client: a gateway of
your company, for example. [Use an endpoint of your own](../endpoint.md) has more.

Models of the Responses API have `sdk = "openai_responses"` in the file of the backend.""",
    "openrouter": """One key reaches the models of many makers, under the handles that those makers' own backends use. A key of a maker
comes before it, unless a [routing profile](../providers.md#several-providers-for-one-model) says otherwise.""",
    "tavily": """`tavily-advanced` reads more of each page than `tavily-basic`, and costs twice as much.""",
    "vertexai": """Without `GCP_CREDENTIALS_FILE_PATH`, Google's client looks for credentials itself: those of
`gcloud auth application-default login`, or those of the machine.""",
}
"""The prose of each page, by the backend's id; it comes after the credentials."""

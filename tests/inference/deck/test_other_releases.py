"""Configuration folders of other releases load: what this one does not know is a warning with its place."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from pipelex.errors import ConfigurationError
from pipelex.inference import ModelDeck
from pipelex.pipes.models import ModelChoice
from tests.support.inference_files import write

RELEASE_0_35: Mapping[str, str] = {
    "backends": """
[openai]
enabled = true
endpoint = "{url}"
api_key = "${{OPENAI_API_KEY}}"

[azure_openai]
display_name = "Azure OpenAI"
enabled = true
endpoint = "${{AZURE_API_BASE}}"
api_key = "${{AZURE_API_KEY}}"
api_version = "${{AZURE_API_VERSION}}"

[bedrock]
enabled = false
aws_region = "${{AWS_REGION}}"

[vertexai]
enabled = false
gcp_project_id = "${{GCP_PROJECT_ID}}"
gcp_location = "${{GCP_LOCATION}}"
gcp_credentials_file_path = "${{GCP_CREDENTIALS_FILE_PATH}}"

[old_gateway]
display_name = "A gateway of that time"
enabled = false
endpoint = "https://gateway.invalid/v1"
api_key = "${{OLD_GATEWAY_KEY}}"
listed_constraints = ["no_longer_known"]

[internal]
enabled = true
""",
    "backends__openai": """
[defaults]
model_type = "llm"
sdk = "openai"
prompting_target = "openai"
structure_method = "instructor/openai_tools"

["gpt-4o"]
model_id = "gpt-4o-2024-11-20"
inputs = ["text", "images", "audio"]
outputs = ["text", "structured", "video"]
max_prompt_images = 50
costs = {{ input = 2.5, output = 10.0 }}

["gpt-4o-mini"]
inputs = ["text", "images", "pdf"]
outputs = ["text", "structured"]
prompting_target = "anthropic"
costs = {{ input = 0.15, output = 0.6, input_cached = 0.075 }}

["o3"]
inputs = ["text"]
outputs = ["text"]
listed_constraints = ["temperature_must_be_multiplied_by_2"]
valued_constraints = {{ fixed_temperature = 1 }}
costs = {{ input = 2.0, output = 8.0 }}

["gpt-image-1"]
model_type = "img_gen"
sdk = "openai_img_gen"
inputs = ["text"]
outputs = ["image"]
costs = {{ input = 5.0, output = 40.0 }}
[gpt-image-1.rules]
prompt = "positive_only"
num_images = "gpt"
aspect_ratio = "gpt"
""",
    "backends__old_gateway": """
[defaults]
sdk = 3
[broken
""",
    "backends__bedrock": '[claude]\nmodel_type = "of that time"\ninputs = "text"\n',
    "backends__internal": """
[pypdfium2-extract-pdf]
model_type = "text_extractor"
sdk = "pypdfium2"
inputs = ["pdf"]
outputs = ["pages"]
costs = {{}}
""",
    "routing_profiles": """
active = "all_enabled_backends"
[profiles.all_enabled_backends]
description = "Whoever is enabled"
fallback_order = ["old_gateway", "openai", "azure_openai", "blackboxai", "portkey", "internal"]
[profiles.all_blackboxai]
description = "All at one place"
default = "blackboxai"
""",
    "deck__base_deck": """
[llm.choice_defaults]
for_text = "$cheap_llm"
for_object = "$cheap_llm"
[llm.choice_overrides]
for_text = "disabled"
for_object = "disabled"
[llm.aliases]
best-gpt = "gpt-4o"
llm_to_engineer = ["gpt-4o", "gpt-4o-mini"]
[llm.presets]
cheap_llm = {{ model = "gpt-4o-mini", temperature = 0.5, prompting_target = "openai" }}
llm_to_engineer_hard = {{ model = "@llm_to_engineer", temperature = 0.2, max_tokens = "auto" }}
[extract.presets]
extract_text_from_pdf = {{ model = "pypdfium2-extract-pdf", max_nb_images = 100, image_min_size = 50 }}
[img_gen]
choice_default = "$base-image"
default_quality = "low"
[img_gen.presets]
base-image = {{ model = "gpt-image-1", quality = "low" }}
""",
    "deck__overrides": "",
}

RELEASE_0_92: Mapping[str, str] = {
    "backends": """
[openai]
enabled = true
display_name = "OpenAI"
endpoint = "{url}"
api_key = "${{OPENAI_API_KEY}}"

[ollama]
enabled = true
endpoint = "http://localhost:11434/v1"

[scaleway]
enabled = false
endpoint = "https://api.scaleway.invalid/v1"
api_key = "${{SCALEWAY_API_KEY}}"

[minimax]
enabled = true
endpoint = "https://api.minimax.invalid/v1"
api_key = "${{MINIMAX_API_KEY}}"

[internal]
""",
    "backends__openai": """
[defaults]
model_type = "llm"
sdk = "openai_responses"
structure_method = "instructor/openai_responses_tools"

["gpt-5.4"]
sdk = "openai"
inputs = ["text", "images", "pdf"]
outputs = ["text", "structured"]
thinking_mode = "adaptive"
max_tokens = 128000
listed_constraints = ["temperature_unsupported", "max_tokens_must_be_high_enough"]
costs = {{ input = 2.5, input_cached = 0.25, output = 15.0, output_reasoning = 15.0 }}

["gpt-5.4-azure"]
sdk = "openai"
handle = "gpt-5.4"
variant = "azure"
enabled = false
costs = {{ input = "dear" }}

["judge-1"]
model_type = "judgment"
sdk = "openai"
outputs = ["judgments"]

["movie-1"]
model_type = "video_gen"
sdk = "openai_video"
inputs = ["text", "images", "video"]
outputs = ["video", "audio"]

[docs]
model_type = "doc_gen"
sdk = "reportlab"
inputs = ["layout", "html", "template_file"]
outputs = ["pdf"]
""",
    "backends__minimax": """
[m1]
sdk = "minimax_native"
inputs = ["text"]
thinking_mode = "deliberate"
x-team = "blue"
""",
    "routing_profiles": """
active = "mixed"
[profiles.mixed]
description = "OpenAI first"
default = "openai"
fallback_order = ["ollama", "openai", "vertexai", "typesafe", "huggingface", "blackboxai"]
[profiles.mixed.routes]
"gpt-*" = "openai"
[profiles.mixed.optional_routes]
"judge-*" = "typesafe"
"claude-*" = "portkey"
""",
    "deck__1_llm_deck": """
[llm.choice_defaults]
default_temperature = 0.5
for_text = "$writing-factual"
for_object = "@house"
[llm.aliases]
house = "~house-models"
[llm.waterfalls]
house-models = ["claude-4.5-sonnet", "gpt-5.4"]
[llm.presets]
writing-factual = {{ model = "@house", temperature = 0.1, description = "Slow and exact", verbosity = "low" }}
deep-analysis = {{ model = "@house", temperature = 0.1, reasoning_effort = "high" }}
""",
    "deck__x_custom_llm_deck": '[llm.presets]\nmine = {{ model = "gpt-5.4", temperature = 0 }}\n[video_gen]\nchoice_default = "movie-1"\n',
}

FOLDERS = [
    (RELEASE_0_35, "gpt-4o-mini", ("$cheap_llm", "@best-gpt", "$llm_to_engineer_hard", "o3"), [
        ("backends/old_gateway.toml", "not valid TOML"),
        ("backends.toml", "no_longer_known"),
        ("backends/bedrock.toml", "of that time"),
        ("routing_profiles.toml", "no backend is called 'blackboxai'"),
        ("routing_profiles.toml", "no backend is called 'portkey'"),
        ("deck/base_deck.toml", "prompting_target"),
    ]),
    (RELEASE_0_92, "gpt-5.4", ("$writing-factual", "$deep-analysis", "$mine", "@house", "~house-models", "gpt-5.4"), [
        ("backends/openai.toml", "'video_gen', which is unknown"),
        ("backends/openai.toml", "the model is not enabled"),
        ("backends/minimax.toml", "deliberate"),
        ("routing_profiles.toml", "no backend is called 'blackboxai'"),
        ("routing_profiles.toml", "no backend is called 'portkey'"),
        ("deck/1_llm_deck.toml", "verbosity"),
        ("deck/x_custom_llm_deck.toml", "video_gen"),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("folder", "default", "names", "told"), FOLDERS, ids=["0.35", "0.92"])
def test_a_folder_loads(
    tmp_path: Path, folder: Mapping[str, str], default: str, names: tuple[str, ...], told: list[tuple[str, str]]
):
    files = {name: text.format(url="https://api.openai.com/v1") for name, text in folder.items()}
    deck = ModelDeck.load([write(tmp_path / "inference", **files)], {"OPENAI_API_KEY": "k"})
    assert deck.resolve(ModelChoice(family="llm")).handle == default
    for name in names:
        assert deck.resolve(ModelChoice(family="llm", choice=name)).backend == "openai"
        assert deck.check(ModelChoice(family="llm", choice=name)) == []
    assert deck.check(ModelChoice(family="extract", choice="@default-extract-image")) == []
    left = list(deck.warnings)
    for file, words in told:
        (warning,) = [one for one in left if words in one.detail and (one.location.file or "").endswith(file)]
        assert warning.severity == "warning"
        assert warning.location.line
        left.remove(warning)
    assert [str(one.detail) for one in left] == []


@pytest.mark.parametrize("broken", ["[m", "m = 3\n", "[defaults]\n", '[m]\nsdk = "openai"\ninputs = 3\n'])
def test_a_file_of_a_backend_that_is_not_enabled_stops_nobody(tmp_path: Path, broken: str):
    files = write(tmp_path / "inference", backends="[mine]\nenabled = false\n", backends__mine=broken)
    assert len(ModelDeck.load([files], {}).warnings) == (0 if broken.startswith("[defaults]") else 1)
    write(tmp_path / "inference", backends="[mine]\n")
    if not broken.startswith("[defaults]"):
        with pytest.raises(ConfigurationError):
            ModelDeck.load([files], {})


def test_a_slip_is_no_other_release(tmp_path: Path):
    files = write(
        tmp_path / "inference", backends="[mine]\n", backends__mine='[m]\nsdk = "openai"\nmodel_type = "lm"\n'
    )
    with pytest.raises(ConfigurationError, match="'lm'"):
        ModelDeck.load([files], {})

from pathlib import Path

import pytest

from pipelex.content.stuff import Json
from pipelex.errors import ConfigurationError, PipelexError
from pipelex.inference import ModelDeck, ModelReference
from pipelex.language.blueprints import ModelFamily, ModelPurpose
from pipelex.pipes.models import ModelChoice
from tests.support.inference_files import write

BACKENDS = """
[alpha]
api_key = "${ALPHA_KEY}"
[beta]
[gamma]
enabled = false
"""
ALPHA = """
[defaults]
sdk = "openai"
[big]
[both]
["dotted-2.5"]
["provider/slashed"]
[painter]
model_type = "img_gen"
outputs = ["image"]
"""
BETA = """
[defaults]
sdk = "openai"
[small]
[both]
[off]
enabled = false
"""
GAMMA = """
[sleeping]
sdk = "openai"
"""
ROUTING = """
active = "mine"
[profiles.mine]
description    = "For tests"
fallback_order = ["alpha", "beta", "gamma"]
"""
DECK = """
[llm.choice_defaults]
default_temperature = 0.7
for_text   = "@house"
for_object = { model = "small", temperature = 0 }
[llm.aliases]
house  = "@inner"
inner  = "~ladder"
plain  = "small"
turn-a = "@turn-b"
turn-b = "@turn-a"
[llm.waterfalls]
ladder = ["sleeping", "unheard-of", "big", "small"]
dry    = ["sleeping"]
[llm.presets]
careful = { model = "@house", temperature = 0.1, max_tokens = 300, description = "Slow" }
[img_gen]
choice_default  = "painter"
default_quality = "medium"
"""


def deck_of(tmp_path: Path, environ: dict[str, str] | None = None, *, allow_fallback: bool = True, **files: str):
    base = {
        "backends": BACKENDS,
        "backends__alpha": ALPHA,
        "backends__beta": BETA,
        "backends__gamma": GAMMA,
        "routing_profiles": ROUTING,
        "deck__1_mine": DECK,
    }
    directory = write(tmp_path / "inference", **{**base, **files})
    return ModelDeck.load(
        [directory], environ if environ is not None else {"ALPHA_KEY": "k"}, allow_fallback=allow_fallback
    )


def choose(
    choice: str | dict[str, Json] | None = None, family: ModelFamily = "llm", purpose: ModelPurpose = "text"
) -> ModelChoice:
    return ModelChoice(family=family, purpose=purpose, choice=choice)


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("$a", "preset", "a"),
        (" @a ", "alias", "a"),
        ("~a", "waterfall", "a"),
        ("a", "handle", "a"),
        ("preset:a", "preset", "a"),
        ("alias:a", "alias", "a"),
        ("waterfall:a", "waterfall", "a"),
        ("handle:a", "handle", "a"),
        ("llama3.1:8b", "handle", "llama3.1:8b"),
    ],
)
def test_how_a_reference_is_read(text: str, kind: str, name: str):
    reference = ModelReference.parse(text)
    assert (reference.kind, reference.name) == (kind, name)


@pytest.mark.parametrize("text", ["", "  ", "$", "@ ", "alias:"])
def test_a_reference_without_a_name(text: str, tmp_path: Path):
    with pytest.raises(PipelexError) as caught:
        deck_of(tmp_path).resolve(choose(text))
    assert caught.value.code == "model.unknown"


@pytest.mark.parametrize(
    ("choice", "handle", "backend", "settings"),
    [
        (None, "big", "alpha", {"temperature": 0.7}),
        ("big", "big", "alpha", {"temperature": 0.7}),
        ("dotted-2.5", "dotted-2.5", "alpha", {"temperature": 0.7}),
        ("provider/slashed", "provider/slashed", "alpha", {"temperature": 0.7}),
        ("@plain", "small", "beta", {"temperature": 0.7}),
        ("alias:house", "big", "alpha", {"temperature": 0.7}),
        ("~ladder", "big", "alpha", {"temperature": 0.7}),
        ("$careful", "big", "alpha", {"temperature": 0.1, "max_tokens": 300}),
        (
            {"model": "@plain", "temperature": 0, "reasoning_effort": "low", "description": "x"},
            "small",
            "beta",
            {"temperature": 0.0, "reasoning_effort": "low"},
        ),
        (
            {"model": "small", "temperature": 1, "max_tokens": "auto"},
            "small",
            "beta",
            {"temperature": 1.0, "max_tokens": "auto"},
        ),
    ],
)
def test_resolution(
    tmp_path: Path, choice: str | dict[str, Json], handle: str, backend: str, settings: dict[str, Json]
):
    resolved = deck_of(tmp_path).resolve(choose(choice))
    assert (resolved.handle, resolved.backend, resolved.settings) == (handle, backend, settings)


def test_the_default_for_objects(tmp_path: Path):
    assert deck_of(tmp_path).resolve(choose(purpose="object")).settings == {"temperature": 0.0}


def test_an_override_stands_above_the_default(tmp_path: Path):
    deck = deck_of(tmp_path, deck__2_over='[llm.choice_overrides]\nfor_object = "@plain"\n')
    assert deck.resolve(choose(purpose="object")).settings == {"temperature": 0.7}
    assert deck.resolve(choose("big", purpose="object")).handle == "big"
    assert deck.resolve(choose()).handle == "big"


def test_a_waterfall_passes_over_a_backend_without_its_key(tmp_path: Path):
    assert deck_of(tmp_path, {}).resolve(choose("~ladder")).handle == "small"
    assert deck_of(tmp_path, {"ALPHA_KEY": ""}).resolve(choose("~ladder")).handle == "small"


def test_a_waterfall_without_fallback_is_its_first_entry(tmp_path: Path):
    with pytest.raises(PipelexError, match="sleeping"):
        deck_of(tmp_path, allow_fallback=False).resolve(choose("~ladder"))


def test_a_model_of_two_backends_goes_to_the_first_that_has_its_key(tmp_path: Path):
    assert deck_of(tmp_path).resolve(choose("both")).backend == "alpha"
    assert deck_of(tmp_path, {}).resolve(choose("both")).backend == "beta"


@pytest.mark.parametrize(
    ("routes", "backend"),
    [
        ('[profiles.mine.routes]\nboth = "beta"', "beta"),
        ('[profiles.mine.routes]\n"bo*" = "beta"', "beta"),
        ('[profiles.mine.routes]\n"*th" = "beta"', "beta"),
        ('[profiles.mine.routes]\n"b*" = "alpha"\nboth = "beta"', "beta"),
        ('[profiles.mine.optional_routes]\nboth = "beta"', "beta"),
        ('[profiles.mine.optional_routes]\nboth = "gamma"', "alpha"),
        ('[profiles.mine.routes]\nx = "beta"', "alpha"),
    ],
)
def test_routes(tmp_path: Path, routes: str, backend: str):
    assert deck_of(tmp_path, routing_profiles=f"{ROUTING}\n{routes}\n").resolve(choose("both")).backend == backend


def test_the_default_backend_comes_before_the_fallback_order(tmp_path: Path):
    routing = ROUTING.replace("fallback_order", 'default = "beta"\nfallback_order')
    assert deck_of(tmp_path, routing_profiles=routing).resolve(choose("both")).backend == "beta"


@pytest.mark.parametrize(
    ("choice", "code", "words"),
    [
        ("@hous", "model.unknown", "'@house'"),
        ("house", "model.unknown", "'@house'"),
        ("@ladder", "model.unknown", "'~ladder'"),
        ("$carefull", "model.unknown", "'$careful'"),
        ("bigg", "model.unknown", "'big'"),
        ("painter", "model.unknown", "language models"),
        ("sleeping", "model.unavailable", "gamma"),
        ("~dry", "model.unavailable", "sleeping"),
        ("off", "model.unavailable", "beta"),
        ("@turn-a", "model.unavailable", "@turn-a → @turn-b → @turn-a"),
        ({"model": "$careful", "temperature": 0.5}, "model.unknown", "preset"),
        ({"model": "small"}, "method.schema_violation", "model.temperature"),
        ({"model": "small", "temprature": 0.5}, "method.schema_violation", "temprature"),
        ({"model": "small", "temperature": 2}, "method.schema_violation", "temperature"),
        (
            {"model": "small", "temperature": 1, "reasoning_effort": "low", "reasoning_budget": 5},
            "method.schema_violation",
            "cannot be used together",
        ),
    ],
)
def test_failures(tmp_path: Path, choice: str | dict[str, Json], code: str, words: str):
    deck = deck_of(tmp_path)
    with pytest.raises(PipelexError) as caught:
        deck.resolve(choose(choice))
    assert caught.value.code == code
    assert words in str(caught.value)
    (fault,) = deck.check(choose(choice))
    is_of_this_machine = code == "model.unavailable" and fault.params["reason"] != "alias_cycle"
    assert (fault.code, fault.severity) == (code, "warning" if is_of_this_machine else "error")


def test_checking_tells_of_missing_credentials(tmp_path: Path):
    (fault,) = deck_of(tmp_path, {}).check(choose("big"))
    assert (fault.code, fault.severity, fault.params["reason"]) == (
        "model.unavailable",
        "warning",
        "credentials_missing",
    )
    assert "ALPHA_KEY" in fault.detail
    assert deck_of(tmp_path).check(choose("big")) == []


def test_other_families(tmp_path: Path):
    deck = deck_of(tmp_path)
    assert deck.resolve(choose(family="img_gen")).settings == {"quality": "medium"}
    assert deck.resolve(choose({"model": "painter", "nb_steps": 4}, "img_gen")).settings == {"nb_steps": 4}
    assert deck.resolve(choose("reportlab-pdf", "doc_gen")).backend == "internal"
    assert deck.resolve(choose(family="doc_gen"), document="pdf.html").handle == "reportlab-pdf"
    assert deck.resolve(choose(family="judgment")) == deck.resolve(ModelChoice(family="llm", purpose="object"))


def test_own_decks_are_merged_over_the_packaged_one_in_name_order(tmp_path: Path):
    deck = deck_of(tmp_path, deck__x_custom_9='[llm.aliases]\nplain = "big"\n')
    assert deck.resolve(choose("@plain")).handle == "big"
    assert deck.tables.llm.preset("writing-factual") is not None


def test_variants_share_a_handle(tmp_path: Path):
    beta = '[a]\nsdk = "openai"\nhandle = "twin"\nvariant = "x"\n[b]\nsdk = "openai"\nhandle = "twin"\nmodel_id = "other"\n'
    deck = deck_of(tmp_path, backends__beta=beta)
    entry = deck.entry(deck.resolve(choose("twin")))
    assert (entry.table.variant, entry.model_id) == ("x", "twin")


def test_constraints_of_backend_and_model_add_up(tmp_path: Path):
    backends = (
        BACKENDS
        + 'listed_constraints = ["temperature_unsupported"]\nvalued_constraints = { fixed_temperature = 1, min_thinking_budget = 9 }\n'
    )
    gamma = '[sleeping]\nsdk = "openai"\nlisted_constraints = ["thinking_cannot_be_disabled"]\nvalued_constraints = { fixed_temperature = 0.5 }\n'
    deck = deck_of(tmp_path, backends=backends.replace("enabled = false", "enabled = true"), backends__gamma=gamma)
    entry = deck.entry(deck.resolve(choose("sleeping")))
    assert entry.listed_constraints == {"temperature_unsupported", "thinking_cannot_be_disabled"}
    assert entry.valued_constraints.fixed_temperature == 0.5
    assert entry.valued_constraints.min_thinking_budget == 9


# --- the packaged files -----------------------------------------------------------------------------------------------

PUBLIC: dict[ModelFamily, str] = {
    "llm": """
        $writing-factual $writing-factual-cheap $writing-creative $writing-creative-cheap $retrieval $retrieval-cheap
        $retrieval-premium $engineering-structured $engineering-code $engineering-code-cheap $engineering-code-cheaper
        $engineering-codebase-analysis $vision $vision-cheap $vision-diagram $vision-table $img-gen-prompting
        $img-gen-prompting-cheap $deep-analysis $quick-reasoning $testing-text $testing-structured $testing-vision
        $testing-vision-structured
        @default-general @default-premium @default-premium-vision @default-premium-structured
        @default-large-context-code @default-large-context-text @default-small @default-small-structured
        @default-small-vision @default-small-creative @best-gpt @best-claude @best-gemini @best-mistral
        llm_to_engineer llm_to_answer_hard_questions llm_for_complex_reasoning llm_for_large_codebase
    """,
    "extract": """
        @default-extract-document @default-extract-image @default-text-from-pdf @default-premium @default-no-inference
        @default-extract-web-page ~document-extractor ~ocr-extractor $extract-testing base_ocr_mistral
        base_extract_pypdfium2
    """,
    "img_gen": """
        $gen-image $gen-image-fast $gen-image-high-quality $gen-image-testing $gen-image-testing-img2img
        $synthesize-photo $synthesize-ui $synthesize-chart @default-general @default-premium @default-small @best-gpt
        gen_image_basic base-img-gen best-img-gen
    """,
    "search": "@default-search $standard $deep",
    "judgment": "@default-judgment @default-judgment-vision",
}
NAMES = [(family, name) for family, names in PUBLIC.items() for name in names.split()]


@pytest.mark.matrix(fast=4)
@pytest.mark.parametrize(("family", "name"), NAMES)
def test_every_public_name_resolves(family: ModelFamily, name: str):
    resolved = ModelDeck.load([], {}).resolve(choose(name, family))
    if family == "llm":
        assert resolved.backend == "local"


@pytest.mark.parametrize(
    ("variable", "backend"),
    [
        ("OPENAI_API_KEY", "openai"),
        ("ANTHROPIC_API_KEY", "anthropic"),
        ("GOOGLE_API_KEY", "google"),
        ("MISTRAL_API_KEY", "mistral"),
        ("XAI_API_KEY", "xai"),
        ("GROQ_API_KEY", "groq"),
        ("OPENROUTER_API_KEY", "openrouter"),
    ],
)
def test_one_key_of_any_maker_is_enough_to_leave_the_local_model(variable: str, backend: str):
    deck = ModelDeck.load([], {variable: "k"})
    chosen = {name: deck.resolve(choose(name)).backend for family, name in NAMES if family == "llm"}
    assert set(chosen.values()) == {backend}
    assert deck.resolve(choose()).backend == backend


def test_own_backends_come_first_under_the_packaged_routing(tmp_path: Path):
    shipped = (Path(__file__).parents[3] / "src/pipelex/inference/defaults/backends.toml").read_text(encoding="utf-8")
    directory = write(tmp_path, backends=f"{shipped}\n[mine]\n", backends__mine='["gpt-5.4"]\nsdk = "openai"\n')
    deck = ModelDeck.load([directory], {"OPENAI_API_KEY": "k"})
    assert deck.resolve(choose("@default-premium")).backend == "mine"


@pytest.mark.slow
def test_every_profile_of_the_packaged_files_can_be_active(tmp_path: Path):
    defaults = Path(__file__).parents[3] / "src/pipelex/inference/defaults"
    text = (defaults / "routing_profiles.toml").read_text(encoding="utf-8")
    names = [line[len("[profiles.") : -1] for line in text.splitlines() if line.startswith("[profiles.")]
    for name in (name for name in names if "." not in name):
        directory = write(tmp_path / name, routing_profiles=text.replace('"all_enabled_backends"', f'"{name}"'))
        ModelDeck.load([directory], {})
    assert "all_local" in names


def test_a_file_may_name_a_packaged_profile_alone(tmp_path: Path):
    users = write(tmp_path / "users", routing_profiles='active = "mine"\n[profiles.mine]\ndescription = "d"\n')
    project = write(tmp_path / "project", routing_profiles='active = "all_openai"\n')
    deck = ModelDeck.load([project, users], {"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"})
    assert (deck.catalog.profile_name, deck.catalog.profile.fallback_order) == ("all_openai", ["openai", "internal"])
    assert deck.catalog.is_packaged_routing
    assert set(deck.files) == {project / "routing_profiles.toml", users / "routing_profiles.toml"}


def test_a_project_may_name_a_profile_of_the_users(tmp_path: Path):
    users = write(
        tmp_path / "users",
        routing_profiles='[profiles.mine]\ndescription = "d"\nfallback_order = ["xai", "internal"]\n',
    )
    assert ModelDeck.load([users], {}).catalog.profile_name == "all_enabled_backends"  # which it leaves as it is
    project = write(tmp_path / "project", routing_profiles='active = "mine"\n')
    assert ModelDeck.load([project, users], {}).catalog.profile.fallback_order == ["xai", "internal"]
    named = write(tmp_path / "named", routing_profiles='active = "all_opnai"\n')
    with pytest.raises(ConfigurationError) as caught:
        ModelDeck.load([named, users], {})
    assert (caught.value.report.location.line, "'all_openai'" in (caught.value.report.advice or "")) == (1, True)

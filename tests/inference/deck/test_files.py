import contextlib
import os
import socket
from pathlib import Path

import pytest

from pipelex.errors import ConfigurationError
from pipelex.inference import ModelDeck
from tests.support.inference_files import write

GOOD = {
    "backends": '[one]\nendpoint = "http://127.0.0.1:1/v1"\napi_version = "3"\n',
    "backends__one": '[m]\nsdk = "openai"\n',
    "routing_profiles": 'active = "p"\n[profiles.p]\ndescription = "d"\ndefault = "one"\n',
    "deck__1": '[llm.aliases]\na = "m"\n',
}

WRONG = [
    ("backends", "[one\n", 1, "not valid TOML", ""),
    ("backends", "one = 3\n", 1, "must be a table", ""),
    ("backends", "[one]\nenabled = 1\n", 2, "one.enabled", ""),
    ("backends__one", '[m]\nsdk = "openai"\nmax-tokens = 3\n', 1, "write 'max_tokens'", ""),
    ("backends__one", '[m]\nsdk = "openai"\nx-team = 3\n', 1, "x-team", ""),
    ("backends__one", '[m]\nsdk = "openai"\nx-team = "gr\\u00fcn"\n', 1, "printable ASCII", ""),
    ("backends__one", '[m]\nsdk = "openai"\n"x-te am" = "a"\n', 1, "header name", ""),
    ("backends__one", '[m]\nsdk = "openai"\nheaders = { a = "b" }\n', 1, "headers", ""),
    ("backends__one", '[m]\nsdk = "openai"\nmodel_type = "lm"\n', 3, "'lm'", "llm"),
    ("backends__one", '[m]\nsdk = "openai"\n[n]\nsdk = "openai"\nhandle = "m"\n', 3, "both have the handle", "variant"),
    ("backends__one", 'defaults = 3\n[m]\nsdk = "openai"\n', 1, "'defaults' must be a table", ""),
    ("backends__one", '[m]\nsdk = "openai"\ncosts = { input = "1.5" }\n', 3, "m.costs.input", ""),
    ("routing_profiles", 'active = "q"\n[profiles.p]\ndescription = "d"\n', 1, "'q' is not declared", "p"),
    ("routing_profiles", 'active = "p"\n[profiles.p]\ndefault = "one"\n', 2, "description", ""),
    ("routing_profiles", 'active = "p"\n[profiles.p]\ndescription = "d"\ndefault = "onne"\n', 4, "'onne'", "one"),
    ("routing_profiles", 'active = "p"\n[profiles.p]\ndescription = "d"\n[profiles.p.routes]\n"a*b" = "one"\n', 5, "pattern", "prefix"),
    ("routing_profiles", 'active = "p"\n[profiles.p]\ndescription = "d"\n[profiles.p.optional_routes]\nm = "onne"\n', 5, "'onne'", "one"),
    ("deck__1", '[llm.aliases]\na = "@default-premum"\n', 2, "@default-premum", "@default-premium"),
    ("deck__1", "[llm.presets]\na = { model = 'm' }\n", 2, "llm.presets.a.temperature", ""),
    ("deck__1", "[llm.presets]\na = { model = '~premum', temperature = 1 }\n", 2, "~premum", "~premium"),
    ("deck__1", "[llm.presets]\na = { model = 'm', temperature = 3 }\n", 2, "llm.presets.a.temperature", ""),
    ("deck__1", "[llm.presets]\na = { model = 'm', temperature = '0.5' }\n", 2, "llm.presets.a.temperature", ""),
    ("deck__1", "[llm.waterfalls]\na = []\n", 2, "llm.waterfalls.a", ""),
]  # fmt: skip

NOT_UNDERSTOOD = [
    ("backends", '[one]\nlisted_constraints = ["temperature_unsuported"]\n', 2, "temperature_unsuported", "temperature_unsupported"),
    ("backends", "[one]\nvalued_constraints = { fixed_temprature = 1 }\n", 2, "fixed_temprature", "fixed_temperature"),
    ("backends__one", '[m]\nsdk = "openai"\nmodle_id = "x"\n', 3, "m.modle_id", "model_id"),
    ("backends__one", '[defaults]\nsdk = "openai"\nmax_tokns = 3\n[m]\n', 3, "max_tokns", "max_tokens"),
    ("backends__one", '[m]\nsdk = "openai"\ninputs = ["text", "image_s"]\n', 3, "image_s", "images"),
    ("backends__one", '[m]\nsdk = "openai"\ncosts = { inputt = 1 }\n', 3, "m.costs.inputt", "input"),
    ("routing_profiles", 'active = "p"\n[profiles.p]\ndescription = "d"\nfallback = ["one"]\n', 4, "fallback", "fallback_order"),
    ("deck__1", '[llm.aliasses]\na = "m"\n', 1, "llm.aliasses", "aliases"),
    ("deck__1", "[lmm]\n", 1, "lmm", "llm"),
    ("deck__1", "[search]\nchoice_default = { model = 'm', max_result = 3 }\n", 2, "max_result", "max_results"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "line", "words", "near"), WRONG)
def test_what_is_wrong_where_and_what_would_be_right(
    tmp_path: Path, name: str, text: str, line: int, words: str, near: str
):
    directory = write(tmp_path / "inference", **{**GOOD, name: text})
    with pytest.raises(ConfigurationError) as caught:
        ModelDeck.load([directory], {})
    error = caught.value
    assert error.report.location.line == line
    assert (error.report.location.file or "").endswith(name.replace("__", "/") + ".toml")
    assert words in str(error)
    assert near in (error.report.advice or "")


@pytest.mark.parametrize(("name", "text", "line", "words", "near"), NOT_UNDERSTOOD)
def test_what_is_not_understood_is_a_warning(tmp_path: Path, name: str, text: str, line: int, words: str, near: str):
    directory = write(tmp_path / "inference", **{**GOOD, name: text})
    (warning,) = ModelDeck.load([directory], {}).warnings
    assert (warning.severity, warning.location.line) == ("warning", line)
    assert (warning.location.file or "").endswith(name.replace("__", "/") + ".toml")
    assert words in warning.detail
    assert f"did you mean {near!r}?" in warning.detail


def test_a_model_without_a_client_has_that_of_its_backend_or_of_the_packaged_file(tmp_path: Path):
    partial = "[gpt-4o]\ncosts = { input = 9.0, output = 9.0 }\n"
    own = {
        **GOOD,
        "backends": '[one]\nsdk = "mistral"\n[three]\n',
        "backends__one": "[m]\n",
        "backends__three": "[m]\n",
    }
    deck = ModelDeck.load([write(tmp_path / "inference", **own, backends__openai=partial)], {})
    (gpt,) = deck.catalog.backends["openai"].models
    assert (gpt.table.sdk, "pdf" in gpt.table.inputs, gpt.table.costs and gpt.table.costs.input) == (
        "openai",
        True,
        9.0,
    )
    assert [entry.table.sdk for entry in deck.catalog.backends["one"].models] == ["mistral"]
    (warning,) = deck.warnings
    assert (warning.location.line, "'m' has no 'sdk'" in warning.detail) == (1, True)
    reached = ModelDeck.load([write(tmp_path / "other", **{**GOOD, "backends__one": "[m]\n"})], {})
    assert reached.catalog.backends["one"].models[0].table.sdk == "openai"


def test_the_good_files_are_good(tmp_path: Path):
    deck = ModelDeck.load([write(tmp_path / "inference", **GOOD)], {})
    assert deck.catalog.backends["one"].extra == {"api_version": "3"}
    assert deck.warnings == ()


@pytest.mark.parametrize(
    "name", ["backends.toml", "routing_profiles.toml", "backends/openai.toml", "backends/none.toml"]
)
@pytest.mark.parametrize("kind", ["pipe", "socket", "folder", "dangling link", "link to a pipe", "link to itself"])
def test_what_is_no_file_is_a_warning(tmp_path: Path, name: str, kind: str):
    place = tmp_path / "inference" / name
    place.parent.mkdir(parents=True)
    match kind:
        case "pipe":
            os.mkfifo(place)
        case "socket":
            with socket.socket(socket.AF_UNIX) as bound, contextlib.chdir(place.parent):
                bound.bind(place.name)  # a short path, as sockets need it
        case "folder":
            place.mkdir()
        case "link to a pipe":
            os.mkfifo(tmp_path / "pipe")
            place.symlink_to(tmp_path / "pipe")
        case _:
            place.symlink_to(place.name if kind == "link to itself" else "nowhere")
    (warning,) = ModelDeck.load([tmp_path / "inference"], {}).warnings
    assert (warning.severity, warning.location.file) == ("warning", str(place))
    assert f"{name} is {'not a' if place.exists() else 'a link to no'} file" in warning.detail
    assert "it has no effect" in warning.detail


def test_a_route_to_a_disabled_backend(tmp_path: Path):
    routing = GOOD["routing_profiles"] + '[profiles.p.routes]\nm = "one"\n'
    files = {**GOOD, "backends": "[one]\nenabled = false\n", "routing_profiles": routing}
    with pytest.raises(ConfigurationError, match="not enabled"):
        ModelDeck.load([write(tmp_path / "inference", **files)], {})


def test_the_first_directory_that_has_a_file_wins(tmp_path: Path):
    project = write(tmp_path / "project", backends__one='[m]\nsdk = "openai"\nmodel_id = "projects"\n')
    home = write(tmp_path / "home", **GOOD)
    deck = ModelDeck.load([project, home], {})
    assert [entry.model_id for entry in deck.catalog.backends["one"].models] == ["projects"]


def test_tables_of_backends_are_merged_key_by_key(tmp_path: Path):
    home = write(
        tmp_path / "home", backends='[openai]\nendpoint = "https://h.example"\napi_key = "k"\n[two]\nmodels = ["m"]\n'
    )
    project = write(tmp_path / "project", backends='[openai]\nendpoint = "https://p.example"\n[xai]\nenabled = false\n')
    backends = ModelDeck.load([project, home], {}).catalog.backends
    table = backends["openai"].table
    assert (table.endpoint, table.api_key, table.display_name) == ("https://p.example", "k", "OpenAI")
    assert not backends["xai"].table.enabled
    assert {"two", "anthropic", "local", "internal"} <= set(backends)
    assert [name for name, backend in backends.items() if backend.is_own] == ["two"]


BROKEN = [
    "[m]\nsdk = 3\n",
    "not TOML",
    '[m]\nsdk = "openai"\ncosts = 3\n',
    "defaults = 3\n",
    '[m]\nsdk = "openai"\nmax-tokens = 1\n',
]


@pytest.mark.parametrize("text", BROKEN)
def test_files_of_backends_that_are_not_enabled_stop_nobody(tmp_path: Path, text: str):
    files = {**GOOD, "backends": GOOD["backends"] + "[off]\nenabled = false\n", "backends__off": text}
    deck = ModelDeck.load([write(tmp_path / "inference", **files)], {})
    (warning,) = deck.warnings
    assert (warning.location.file or "").endswith("off.toml")
    assert "not enabled" in warning.detail
    assert deck.catalog.backends["off"].models == ()
    with pytest.raises(ConfigurationError):
        ModelDeck.load([write(tmp_path / "inference", backends=GOOD["backends"] + "[off]\n")], {})


def test_a_table_of_a_backend_that_is_not_enabled_stops_nobody(tmp_path: Path):
    files = {**GOOD, "backends": GOOD["backends"] + "[off]\nenabled = false\napi_key = 3\n"}
    (warning,) = ModelDeck.load([write(tmp_path / "inference", **files)], {}).warnings
    assert "off.api_key" in warning.detail


def test_variables_in_strings(tmp_path: Path):
    backends = '[one]\nendpoint = "http://${HOST:-h}/v1"\nregion = "${REGION}"\n'
    deck = ModelDeck.load([write(tmp_path / "i", **{**GOOD, "backends": backends})], {"HOST": "x"})
    assert deck.catalog.backends["one"].table.endpoint == "http://x/v1"
    assert deck.catalog.backends["one"].missing == ("REGION",)

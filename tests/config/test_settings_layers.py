import sys
from pathlib import Path

import pytest

from pipelex.config import inert_keys, known_keys, load_settings, split_dotted
from pipelex.config._load import default_keys
from pipelex.config._sections import Sections
from pipelex.errors import ConfigurationError
from tests.support.settings_files import Loader

HOME = "home/.pipelex/pipelex.toml"
KEY = "inference.transport_max_retries"


def _toml(number: int) -> str:
    return f"# a comment\n[inference]\ntransport_max_retries = {number}\n"


def test_without_files_the_packaged_defaults_hold(load: Loader) -> None:
    settings = load()
    assert settings.sections == Sections()
    assert settings.warnings == ()
    assert settings.project_dir is None
    assert settings.files == ()
    assert str(settings.origin(KEY)) == "default"
    assert not settings.is_set(KEY)


def test_each_layer_wins_over_the_one_before(load: Loader) -> None:
    work = "work/.pipelex/"
    layers = [
        ("user", {HOME: _toml(11)}),
        ("project", {work + "pipelex.toml": _toml(12)}),
        ("environment", {work + "pipelex_prod.toml": _toml(13)}),
        ("override", {work + "pipelex_override.toml": _toml(14)}),
    ]
    files: dict[str, str] = {}
    for number, (kind, added) in enumerate(layers, start=11):
        files |= added
        settings = load(files=files, environ={"PIPELEX_ENV": "prod"})
        assert settings.inference.transport_max_retries == number
        assert settings.origin(KEY).kind == kind
        assert settings.origin(KEY).line == 3
        assert settings.is_set(KEY)
    settings = load(files=files, environ={"PIPELEX_ENV": "prod"}, overrides={KEY: 15})
    assert settings.inference.transport_max_retries == 15
    assert str(settings.origin(KEY)) == "flag"
    assert [file.name for file in settings.files] == [
        "pipelex.toml",
        "pipelex.toml",
        "pipelex_prod.toml",
        "pipelex_override.toml",
    ]


def test_an_environment_file_is_read_only_in_its_environment(load: Loader) -> None:
    files = {"work/.pipelex/pipelex.toml": "", "work/.pipelex/pipelex_prod.toml": _toml(13)}
    assert load(files=files).inference.transport_max_retries == 2
    assert load(files=files, environ={"PIPELEX_ENV": "staging"}).inference.transport_max_retries == 2


def test_a_slip_in_the_environments_name_is_told(load: Loader) -> None:
    files = {"work/.pipelex/pipelex.toml": "", "work/.pipelex/pipelex_prod.toml": _toml(13)}
    (warning,) = load(files=files, environ={"PIPELEX_ENV": "prd"}).warnings
    assert warning.suggestions == ("prod",)


@pytest.mark.parametrize("name", ["../x", "override", "a/b"])
def test_an_environment_that_cannot_name_a_file_is_refused(load: Loader, name: str) -> None:
    with pytest.raises(ConfigurationError, match="PIPELEX_ENV"):
        load("", environ={"PIPELEX_ENV": name})


def test_tables_merge_key_by_key_and_lists_are_replaced(load: Loader) -> None:
    settings = load(
        '[runtime.storage]\nmethod = "s3"\n[interpreter.scan]\nexcluded_dirs = ["only"]\n',
        files={HOME: '[runtime.storage]\nuri_format = "{hash}"\ns3.bucket = "mine"\n'},
    )
    assert settings.runtime.storage.method == "s3"
    assert settings.runtime.storage.uri_format == "{hash}"
    assert settings.runtime.storage.s3.bucket == "mine"
    assert settings.interpreter.scan.excluded_dirs == ("only",)
    assert settings.origin("runtime.storage.s3.bucket").kind == "user"


def test_the_project_is_found_from_below_and_home_is_no_project(load: Loader, tmp_path: Path) -> None:
    settings = load(files={"home/a/.pipelex/pipelex.toml": _toml(7), HOME: _toml(1)}, cwd="home/a/b/c")
    assert settings.project_dir == tmp_path / "home/a/.pipelex"
    assert settings.base_dir == tmp_path / "home/a"
    assert settings.config_dirs == (tmp_path / "home/a/.pipelex", tmp_path / "home/.pipelex")
    assert settings.inference.transport_max_retries == 7
    settings = load(files={HOME: _toml(1)}, cwd="home/elsewhere")
    assert settings.project_dir is None
    assert settings.origin(KEY).kind == "user"


def test_pipelex_home_moves_the_users_folder(load: Loader, tmp_path: Path) -> None:
    settings = load(
        files={"other/pipelex.toml": _toml(9), HOME: _toml(1)}, environ={"PIPELEX_HOME": str(tmp_path / "other")}
    )
    assert settings.home_dir == tmp_path / "other"
    assert settings.inference.transport_max_retries == 9
    assert (
        load(files={"home/in/pipelex.toml": _toml(8)}, environ={"PIPELEX_HOME": "~/in"}).inference.transport_max_retries
        == 8
    )


def test_flags_address_names_with_dots_in_quotes(load: Loader) -> None:
    settings = load(overrides={'temporal.activity_queues.llm.by_handle."gpt-5.4"': "q", "run.execution": "hosted"})
    assert settings.get(("temporal", "activity_queues", "llm", "by_handle")) == {"gpt-5.4": "q"}
    assert settings.run.execution == "hosted"


@pytest.mark.parametrize("key", ["", "a..b", "a.", '"a', "a b"])
def test_what_is_no_dotted_key_is_refused(key: str) -> None:
    with pytest.raises(ConfigurationError, match="not a dotted key"):
        split_dotted(key)


def test_the_packaged_file_holds_every_key_of_the_models() -> None:
    written = {key for key in default_keys() if not key.startswith("temporal")}
    inert = {path for path, _ in inert_keys(Sections)}
    known = [".".join(path) for path in known_keys(Sections) if path not in inert]
    tables = {key.rpartition(".")[0] for key in known}
    free = (
        "runtime.log.package_levels",
        "inference.llm.effort_to_budget_maps",
        "inference.img_gen.quality_to_steps_maps",
    )
    for key in known:
        assert key in written or key in tables or key in free, key


def test_a_table_of_an_installed_orchestrator_is_its_own(
    load: Loader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "[light_house]\nlamps = 3\n[lighthose]\nlamps = 3\n"
    assert [fault.params for fault in load(text).warnings if "light_house" in fault.detail], "nobody reads it yet"
    metadata = tmp_path / "site" / "lighthouse-0.1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: lighthouse\nVersion: 0.1\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text(
        "[pipelex.orchestrators]\nlight-house = lighthouse.factory:FACTORY\n", encoding="utf-8"
    )
    monkeypatch.setattr(sys, "path", [str(metadata.parent), *sys.path])
    settings = load(text)
    (misspelt,) = [fault.detail for fault in settings.warnings if "light" in fault.detail]
    assert "unknown key 'lighthose'; did you mean 'light_house'?" in misspelt
    assert settings.get("light_house.lamps") == 3


def test_loading_leaves_the_environment_and_other_settings_alone(load: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load()
    values = first.values["inference"]
    assert isinstance(values, dict)
    values["transport_max_retries"] = 99
    assert load().inference.transport_max_retries == 2
    assert load().get(KEY) == 2
    monkeypatch.setenv("PIPELEX_ENV", "override")
    assert load().environment is None


def test_the_process_environment_and_directory_are_the_defaults(
    load: Loader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(_toml(6))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PIPELEX_HOME", raising=False)
    monkeypatch.delenv("PIPELEX_ENV", raising=False)
    monkeypatch.chdir(tmp_path / "work")
    settings = load_settings()
    assert settings.inference.transport_max_retries == 6
    assert settings.origin(KEY).file == str(Path(".pipelex/pipelex.toml"))


@pytest.mark.slow
def test_importing_the_settings_loads_nothing_heavy() -> None:
    import subprocess

    code = "import sys, pipelex.config, pipelex.temporal.config as t; pipelex.config.load_settings(environ={}); " + (
        "print([n for n in ('temporalio', 'tree_sitter', 'pydantic_ai', 'httpx', 'rich') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"

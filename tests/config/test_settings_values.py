from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.errors import KeyringLocked

from pipelex.config import interpolate
from pipelex.config._settings import MASK
from pipelex.config.secrets import secret_provider
from pipelex.errors import ConfigurationError
from tests.support.settings_files import Loader

CHANGES: list[tuple[str, str, Any]] = [
    ("run.execution", '"hosted"', "hosted"),
    ("runtime.storage.method", '"in_memory"', "in_memory"),
    ("runtime.storage.uri_format", '"{hash}"', "{hash}"),
    ("runtime.storage.local.path", '"blobs"', "blobs"),
    ("runtime.storage.s3.endpoint", '"http://minio"', "http://minio"),
    ("runtime.storage.gcp.bucket", '"b"', "b"),
    ("runtime.storage.azure.container", '"c"', "c"),
    ("runtime.network.is_fetch_ssrf_guard_enabled", "false", False),
    ("runtime.log.level", '"debug"', "DEBUG"),
    ("runtime.log.console_target", '"stdout"', "stdout"),
    ("runtime.log.table_target", '"stdout"', "stdout"),
    ("runtime.log.sinks", '["json", "otlp"]', ("json", "otlp")),
    ("runtime.log.package_levels", '{ httpx = "warning" }', {"httpx": "WARNING"}),
    ("runtime.reporting.is_log_costs_to_console", "false", False),
    ("inference.transport_max_retries", "0", 0),
    ("inference.longest_retry_after", "7200", 7200),
    ("inference.outages.retry_seconds", "0", 0),
    ("inference.outages.durable_retry_seconds", "900", 900),
    ("inference.credentials_elsewhere", "true", True),
    ("inference.credentials_elsewhere", '["openai", "anthropic"]', ("openai", "anthropic")),
    ("inference.model_deck.is_model_fallback_enabled", "false", False),
    ("inference.model_deck.is_fallback_on_failure_enabled", "true", True),
    ("inference.model_deck.missing_presets_reaction", '"raise"', "raise"),
    ("inference.result_cache.is_enabled", "true", True),
    ("inference.llm.schema_reask_max_attempts", "5", 5),
    ("inference.llm.is_structure_prompt_enabled", "true", True),
    ("inference.llm.default_max_images", "7", 7),
    ("inference.img_gen.img_gen_param_defaults.nb_steps", "9", 9),
    ("inference.img_gen.img_gen_param_defaults.guidance_scale", "3", 3.0),
    ("inference.img_gen.img_gen_param_defaults.seed", "12", 12),
    ("inference.extract.default_page_views_dpi", "72", 72),
    ("inference.templating.default_templating_style.tag_style", '"ticks"', "ticks"),
    ("inference.dry_run.nb_list_items", "2", 2),
    ("inference.dry_run.image_urls", '["https://x/y.png"]', ("https://x/y.png",)),
    ("interpreter.pipeline_execution.max_concurrency", "3", 3),
    ("interpreter.pipeline_execution.max_concurrency", '"unbounded"', "unbounded"),
    ("interpreter.pipeline_execution.is_generate_graph", "false", False),
    ("interpreter.method_tree_limits.max_files", "1", 1),
]


@pytest.mark.parametrize(("key", "written", "expected"), CHANGES)
def test_a_key_that_is_changed_has_its_effect(load: Loader, key: str, written: str, expected: Any) -> None:
    settings = load(f"{key} = {written}\n")
    here: Any = settings
    for segment in key.split("."):
        here = getattr(here, segment)
    assert here == expected
    assert settings.warnings == ()


def test_backends_elsewhere_are_a_list_or_all(load: Loader) -> None:
    with pytest.raises(ConfigurationError, match="must be true, false or a list of backends, not 'openai'"):
        load('inference.credentials_elsewhere = "openai"\n')
    shown = {key: value for key, value, _ in load("inference.credentials_elsewhere = ['openai']\n").effective()}
    assert "openai" in str({key: value for key, value in shown.items() if "credentials_elsewhere" in key})


def test_effort_maps_are_completed_by_the_common_ones(load: Loader) -> None:
    settings = load("[inference.llm.effort_to_budget_maps.mine]\nhigh = 9\n")
    assert settings.inference.llm.effort_to_budget("mine")["high"] == 9
    assert settings.inference.llm.effort_to_budget("mine")["low"] == 1024
    assert settings.inference.llm.effort_to_budget("unheard-of")["max"] == 65536


def test_an_unknown_key_is_a_warning_with_line_and_near_name(load: Loader) -> None:
    settings = load("\n[inference]\ntransport_max_retrys = 4\n")
    (warning,) = settings.warnings
    assert warning.severity == "warning"
    assert warning.location.file == ".pipelex/pipelex.toml"
    assert (warning.location.line, warning.location.column) == (3, 1)
    assert warning.location.field == "inference.transport_max_retrys"
    assert warning.suggestions == ("transport_max_retries",)
    assert settings.inference.transport_max_retries == 2


def test_a_known_key_in_the_wrong_table_is_told_its_place(load: Loader) -> None:
    (warning,) = load("[runtime]\nmax_concurrency = 3\n").warnings
    assert warning.suggestions == ("interpreter.pipeline_execution.max_concurrency",)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[runtime.tracing]\nis_enabled = true\ndirectory = 't'\n", "[runtime.telemetry]"),
        ("[interpreter.methods]\nfetch_on_miss = true\n", "--library-dir"),
        ("runtime.tracing.is_enabled = false\n", "traces are not written to files"),
    ],
)
def test_known_keys_without_effect_are_told_with_what_to_do_instead(load: Loader, text: str, why: str) -> None:
    (warning,) = load(text).warnings
    assert why in warning.detail
    assert (warning.severity, warning.location.file, warning.location.line) == ("warning", ".pipelex/pipelex.toml", 1)


def test_roots_of_older_layouts_are_told_where_they_went(load: Loader) -> None:
    warnings = load("[cogt]\nx = 1\n[pipelex.log]\ny = 1\n").warnings
    assert [item.location.line for item in warnings] == [1, 3]
    assert "[inference]" in warnings[0].detail
    assert "[interpreter]" in warnings[1].detail


def test_every_wrong_value_is_reported_with_its_place(load: Loader) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(
            '[runtime.storage]\nmethod = "locl"\n[inference]\ntransport_max_retries = "two"\n[interpreter]\nscan = 3\n'
        )
    assert [(item.location.line, item.location.field) for item in caught.value.faults] == [
        (2, "runtime.storage.method"),
        (4, "inference.transport_max_retries"),
        (6, "interpreter.scan"),
    ]
    assert caught.value.faults[0].suggestions == ("local",)
    assert ".pipelex/pipelex.toml:4: inference.transport_max_retries: must be a valid integer, not 'two'" in str(
        caught.value
    )
    assert caught.value.report.location.line == 2


def test_a_wrong_value_of_a_flag_says_that_it_is_one(load: Loader) -> None:
    with pytest.raises(ConfigurationError, match="given as a flag"):
        load(overrides={"inference.transport_max_retries": "x"})


@pytest.mark.parametrize(("text", "line"), [("a = 1\nb = = 2\n", 2), ("a = 1\na = 2\n", 2), ('x = """\n\n', 3)])
def test_what_is_not_toml_is_reported_with_its_line(load: Loader, text: str, line: int) -> None:
    with pytest.raises(ConfigurationError, match="not valid TOML") as caught:
        load(text)
    assert caught.value.report.location.file == ".pipelex/pipelex.toml"
    assert caught.value.report.location.line == line


def test_a_file_that_is_no_text_is_reported(load: Loader, tmp_path: Path) -> None:
    load("")
    (tmp_path / "work/.pipelex/pipelex.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load()


@pytest.mark.parametrize(
    ("text", "filled", "unset"),
    [
        ("${A}", "1", ()),
        ("x-${A}-${EMPTY}-y", "x-1--y", ()),
        ("${NO}", "${NO}", ("NO",)),
        ("${NO:-d e}", "d e", ()),
        ("${EMPTY:-d}", "d", ()),
        ("${A:-d}", "1", ()),
        ("${NO:-}", "", ()),
        ("$${A}", "${A}", ()),
        ("$A {hash}", "$A {hash}", ()),
    ],
)
def test_variables_are_filled_in(text: str, filled: str, unset: tuple[str, ...]) -> None:
    found = interpolate(text, {"A": "1", "EMPTY": ""})
    assert (found.text, found.unset) == (filled, unset)


def test_variables_come_from_the_process_then_from_dotenv(load: Loader) -> None:
    files = {
        "work/.env": "A=project\nB=project\nC=${B}/sub\n",
        "home/.pipelex/.env": "A=home\nB=home\nD=home\n",
    }
    text = '[runtime.storage.s3]\nbucket = "${A}-${B}-${C}"\nprefix = "${D}"\n'
    settings = load(text, files=files, environ={"A": "process"})
    assert settings.runtime.storage.s3.bucket == "process-project-project/sub"
    assert settings.runtime.storage.s3.prefix == "home"
    assert settings.origin("runtime.storage.s3.bucket").variables == ("A", "B", "C")


def test_a_dotenv_can_choose_the_environment(load: Loader) -> None:
    files = {"work/.env": "PIPELEX_ENV=prod\n", "work/.pipelex/pipelex_prod.toml": "run.execution = 'hosted'\n"}
    assert load("", files=files).run.execution == "hosted"


def test_numbers_and_booleans_may_come_from_variables(load: Loader) -> None:
    text = '[inference]\ntransport_max_retries = "${N:-4}"\nmodel_deck.is_model_fallback_enabled = "${F}"\n'
    settings = load(text, environ={"F": "false"})
    assert settings.inference.transport_max_retries == 4
    assert settings.inference.model_deck.is_model_fallback_enabled is False
    with pytest.raises(ConfigurationError, match="valid integer"):
        load(text, environ={"F": "true", "N": "many"})


def test_an_unset_variable_is_a_warning(load: Loader) -> None:
    (warning,) = load('[runtime.storage.s3]\nbucket = "${NOWHERE}"\n').warnings
    assert "NOWHERE" in warning.detail
    assert warning.location.line == 2


def test_effective_lists_everything_and_masks_secrets(load: Loader) -> None:
    text = (
        '[inference]\ntransport_max_retries = 4\n[extra]\napi_key = "k"\nurl = "https://me:pw@host/x"\n'
        'by_variable = "Bearer ${MY_TOKEN}"\nkey_id = "shown"\n'
    )
    settings = load(text, environ={"MY_TOKEN": "t0ps3cret"})
    found = {key: (value, str(origin)) for key, value, origin in settings.effective()}
    file = ".pipelex/pipelex.toml"
    assert found["inference.transport_max_retries"] == (4, f"{file}:2")
    assert found["extra.api_key"] == (MASK, f"{file}:4")
    assert found["extra.url"] == (f"https://me:{MASK}@host/x", f"{file}:5")
    assert found["extra.by_variable"] == (MASK, f"{file}:6 ${{MY_TOKEN}}")
    assert found["extra.key_id"] == ("shown", f"{file}:7")
    assert found["run.execution"] == ("local", "default")
    assert "t0ps3cret" not in repr(settings)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o666, 0o620, 0o777])
def test_secrets_that_others_can_read_are_refused(load: Loader, tmp_path: Path, mode: int) -> None:
    settings = load(files={"home/.pipelex/secrets.toml": 'my-key = "from file"\n'})
    file = tmp_path / "home" / ".pipelex" / "secrets.toml"
    file.chmod(mode)
    with pytest.raises(ConfigurationError, match="others may read or write") as caught:
        secret_provider(settings).get("my-key")
    assert "chmod 600" in (caught.value.report.advice or "")
    assert "from file" not in str(caught.value.report.to_json())
    file.chmod(0o400)
    assert secret_provider(settings).get("my-key") == "from file"


def test_secrets_come_from_the_environment_then_from_the_users_file(load: Loader) -> None:
    files = {"home/.pipelex/secrets.toml": 'my-key = "from file"\nother = "o"\n'}
    settings = load(files=files, environ={"OTHER": "from env"})
    secrets = secret_provider(settings)
    assert secrets.get("my-key") == "from file"
    assert secrets.get("other") == "from env"
    assert secrets.get("absent") is None
    assert secret_provider(settings, {"MY_KEY": "env"}).get("my-key") == "env"
    assert "MY_KEY" in secrets.describe("my-key")
    assert "secrets.toml" in secrets.describe("my-key")


class Ring(KeyringBackend):
    """A key ring in memory, locked or not."""

    priority = 1  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]

    def __init__(self, *, is_locked: bool = False, **known: str) -> None:
        super().__init__()
        self.known = known
        self.is_locked = is_locked

    def set_password(self, service: str, username: str, password: str) -> None:
        self.known[f"{service}_{username}"] = password

    def get_password(self, service: str, username: str) -> str | None:
        if self.is_locked:
            raise KeyringLocked(f"locked: {self.known}")
        return self.known.get(f"{service}_{username}")


@pytest.fixture
def ring() -> Iterator[Callable[[KeyringBackend], None]]:
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


def test_secrets_come_from_the_key_ring_last(load: Loader, ring: Callable[[KeyringBackend], None]) -> None:
    ring(Ring(pipelex_mine="from ring", pipelex_other="from ring", elsewhere_third="x"))
    secrets = secret_provider(load(files={"home/.pipelex/secrets.toml": 'other = "from file"\n'}))
    assert [secrets.get(name) for name in ("mine", "other", "third")] == ["from ring", "from file", None]
    assert "keyring set pipelex mine" in secrets.describe("mine")


def test_a_locked_key_ring_is_told_and_no_key_ring_has_nothing(
    load: Loader, ring: Callable[[KeyringBackend], None]
) -> None:
    secrets = secret_provider(load())
    ring(Ring(is_locked=True, pipelex_mine="hunter2"))
    with pytest.raises(ConfigurationError, match="key ring") as caught:
        secrets.get("mine")
    assert "hunter2" not in str(caught.value)
    ring(NoKeyring())
    assert secrets.get("mine") is None


def test_a_secrets_file_that_is_broken_is_reported_without_its_content(load: Loader) -> None:
    secrets = secret_provider(load(files={"home/.pipelex/secrets.toml": 'a = "hunter2\n'}))
    with pytest.raises(ConfigurationError, match=r"secrets\.toml") as caught:
        secrets.get("a")
    assert "hunter2" not in str(caught.value)

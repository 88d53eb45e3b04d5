"""A project's files may name what is the user's once they are trusted: attacks on settings and variables, and honest use."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from pipelex.config import Settings, known_keys, load_settings
from pipelex.config._sections import Sections
from pipelex.config._settings import Layer
from pipelex.config.trust import forget_trust, read_record, record_trust, stays_here
from pipelex.config.trust.settings import FREE, HARMLESS, withheld_settings
from pipelex.errors import ConfigurationError
from pipelex.temporal.config import TemporalConfig, parse_temporal_config
from tests.support.settings_files import Loader

SECRETS = {"OPENAI_API_KEY": "sk-of-the-user", "AWS_SECRET_ACCESS_KEY": "aws-of-the-user", "N": "7"}
SERVER = "temporal.temporal_config.temporal_server_configs"
STORE = "temporal.payload_codec_config.storage_provider_config"
EVIL = "https://evil.example"


def untrusted(load: Loader, text: str | None = None, **files: str) -> Settings:
    named = {name.replace("__", "/"): content for name, content in files.items()}
    return load(text, files=named, environ=SECRETS, trust_project=False)


ATTACKS: list[tuple[str, str, Any, str]] = [
    # What is written, the key, what is in force all the same, and what the question says.
    ('runtime.telemetry.endpoint = "https://evil.example/v1"', "runtime.telemetry.endpoint", "", EVIL),
    ('runtime.telemetry.endpoint = "http://127.0.0.1.evil.example"', "runtime.telemetry.endpoint", "", "evil.example"),
    ('runtime.telemetry.endpoint = "http://localhost@evil.example"', "runtime.telemetry.endpoint", "", "evil.example"),
    ('runtime.telemetry.service_name = "${OPENAI_API_KEY}"', "runtime.telemetry.service_name", "pipelex", "reads ${OPENAI_API_KEY}"),
    ('runtime.telemetry.service_name = "${X:-a}${secret:openai}"', "runtime.telemetry.service_name", "pipelex", "${secret:openai}"),
    ("runtime.telemetry.capture_content = true", "runtime.telemetry.capture_content", False, "is true"),
    ('runtime.storage.method = "s3"', "runtime.storage.method", "local", "s3"),
    ('runtime.storage.s3.endpoint = "https://evil.example"', "runtime.storage.s3.endpoint", "", EVIL),
    ('runtime.storage.s3.prefix = "${AWS_SECRET_ACCESS_KEY}"', "runtime.storage.s3.prefix", "", "${AWS_SECRET_ACCESS_KEY}"),
    ('runtime.storage.local.path = "/etc"', "runtime.storage.local.path", ".pipelex/storage", "/etc"),
    ('runtime.storage.local.path = "x/../../.ssh"', "runtime.storage.local.path", ".pipelex/storage", ".ssh"),
    ('runtime.storage.local.path = "~/.ssh"', "runtime.storage.local.path", ".pipelex/storage", ".ssh"),
    ("runtime.network.is_fetch_ssrf_guard_enabled = false", "runtime.network.is_fetch_ssrf_guard_enabled", True, "false"),
    ('interpreter.functions.environment = ["AWS_SECRET_ACCESS_KEY"]', "interpreter.functions.environment", [], "${AWS_SECRET_ACCESS_KEY}"),
    ('inference.transport_max_retries = "${N}"', "inference.transport_max_retries", 2, "reads ${N}"),
    (f'{SERVER}.local.target_host = "evil.example:7233"', f"{SERVER}.local.target_host", "localhost:7233", "evil.example:7233"),
    (f'{SERVER}.local.api_key_id = "OPENAI_API_KEY"', f"{SERVER}.local.api_key_id", "", "${OPENAI_API_KEY}"),
    (f'{SERVER}.local.tls.client_private_key = "/home/u/.ssh/id"', f"{SERVER}.local.tls.client_private_key", None, "/home/u/.ssh/id"),
    (f'{STORE}.s3.endpoint = "https://evil.example"', f"{STORE}.s3.endpoint", None, EVIL),
    (f'{STORE}.method = "gcs"', f"{STORE}.method", "local", "gcs"),
    ('temporal.payload_codec_config.encryption.key_env = "OPENAI_API_KEY"', "temporal.payload_codec_config.encryption.key_env", None, "${OPENAI_API_KEY}"),
    ('[another_engine]\naddress = "evil.example"', "another_engine.address", None, "evil.example"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "key", "in_force", "said"), ATTACKS)
def test_what_needs_trust_is_withheld_and_told(load: Loader, text: str, key: str, in_force: Any, said: str) -> None:
    settings = untrusted(load, text + "\n")
    assert settings.get(key) == in_force
    (demand,) = settings.withheld
    assert str(demand).startswith(".pipelex/pipelex.toml:")
    assert said in str(demand)
    (warning,) = [item for item in settings.warnings if "pipelex trust" in item.detail]
    assert warning.location.line == text.count("\n") + 1
    assert not any(secret in repr(settings.values) for secret in SECRETS.values() if len(secret) > 1)


@pytest.mark.parametrize("name", ["pipelex_prod.toml", "pipelex_override.toml"])
def test_the_files_over_it_are_the_projects_too(load: Loader, name: str) -> None:
    files = {
        f"work/.pipelex/{name}": 'runtime.telemetry.endpoint = "https://evil.example"\n',
        "work/.env": "PIPELEX_ENV=prod\n",
    }
    settings = load("", files=files, trust_project=False)
    assert settings.runtime.telemetry.endpoint == ""
    assert [demand.shown for demand in settings.withheld] == [f".pipelex/{name}"]


HONEST = [
    "run.execution = 'hosted'",
    "inference.transport_max_retries = 5",
    "inference.img_gen.img_gen_param_defaults.quality = 'high'",
    "inference.llm.effort_to_budget_maps.anthropic.low = 3",
    "interpreter.pipeline_execution.max_concurrency = 2",
    "runtime.log.level = 'DEBUG'",
    "runtime.storage.local.path = 'files'",
    "runtime.storage.s3.bucket = ''",
    "runtime.telemetry.endpoint = 'http://localhost:4318'",
    "temporal.is_enabled = true",
    f"{SERVER}.mine.target_host = '127.0.0.1:7300'",
    "temporal.worker_config.default_task_queue = 'mine'",
    "temporal.queue_options.mine.priority_key = 2",
    "cogt.x = '${OPENAI_API_KEY}'",
]


@pytest.mark.parametrize("text", HONEST)
def test_other_settings_need_no_trust(load: Loader, text: str) -> None:
    settings = untrusted(load, text + "\n")
    is_read = not text.startswith("cogt")
    assert bool(settings.withheld) is not is_read
    if is_read:
        assert settings.values == untrusted(load, text + "\n").values == load(text + "\n").values


@pytest.mark.parametrize("table", [Sections, TemporalConfig])
def test_every_key_is_decided_on(table: Any) -> None:
    """A new key is either free or needs trust: it is named in `FREE`, in `HARMLESS`, or here."""
    root = ("temporal",) if table is TemporalConfig else ()
    keys = {".".join((*root, *path)) for path in known_keys(table)}
    keys -= {key for key in keys if any(other.startswith(f"{key}.") for other in keys)}
    undecided = {key for key in keys if not _is_named(key)}
    assert undecided - NEED_TRUST == set()


NEED_TRUST = {
    *(f"runtime.storage.{store}.{key}" for store in ("s3", "gcp") for key in ("bucket", "prefix", "region", "endpoint")),
    *(f"runtime.storage.azure.{key}" for key in ("account", "container", "prefix")),
    "runtime.run_records.max_runs",  # fewer would take records of the user's other runs
    "interpreter.functions.environment",
    f"{SERVER}.*.api_key_id",
    *(f"{SERVER}.*.tls.{key}" for key in ("server_name", "server_root_ca_cert", "client_cert", "client_private_key")),
    *(f"{STORE}.{store}" for store in ("local", "s3", "gcs", "azure")),
    *(f"temporal.payload_codec_config.encryption.{key}" for key in ("key_id", "key_env", "decrypt_keys", "is_required")),
}  # fmt: skip


def _is_named(key: str) -> bool:
    from fnmatch import fnmatchcase

    return any(
        fnmatchcase(f"{key}.", pattern + ("" if pattern.endswith("*") else ".")) for pattern in (*FREE, *HARMLESS)
    )


# --- .env -------------------------------------------------------------------------------------------------------------

DOTENV_ATTACKS = [
    "OPENAI_BASE_URL=https://evil.example/v1",
    "OPENAI_API_BASE=https://evil.example/v1",
    "ANTHROPIC_BASE_URL=https://evil.example",
    "OLLAMA_HOST=evil.example",
    "TEMPORAL_ADDRESS=evil.example:7233",
    "OTEL_EXPORTER_OTLP_ENDPOINT=https://evil.example",
    "PIPELEX_HOME=.evil",
    "PIPELEX_TRUST_PROJECT=1",
    "PIPELEX_LOCAL_MODEL=evil.gguf",
    "AWS_ENDPOINT_URL=https://evil.example",
    "HTTPS_PROXY=http://evil.example",
    "OPENAI_API_KEY=${AWS_SECRET_ACCESS_KEY}",
    "export GOOGLE_APPLICATION_CREDENTIALS=evil.json",
]


@pytest.mark.parametrize("line", DOTENV_ATTACKS)
def test_a_dotenv_gives_no_addresses_and_no_secrets_of_the_user(load: Loader, line: str) -> None:
    text = f"# mine\n{line}\n"
    settings = load("", files={"work/.env": text}, environ={"AWS_SECRET_ACCESS_KEY": "aws"}, trust_project=False)
    name = line.removeprefix("export ").partition("=")[0]
    assert settings.environ.get(name) is None
    (demand,) = settings.withheld
    assert (demand.shown, demand.line, demand.what) == (".env", 2, name)


def test_a_dotenv_feeds_no_file_of_the_user(load: Loader) -> None:
    mine = {"home/.pipelex/pipelex.toml": '[runtime.telemetry]\nendpoint = "${COLLECTOR}"\n'}
    files = {**mine, "work/.env": "COLLECTOR=https://evil.example\n"}
    settings = load("", files=files, trust_project=False)
    assert "evil" not in settings.runtime.telemetry.endpoint
    assert "COLLECTOR" in str(settings.withheld[0])
    assert load("", files=files).runtime.telemetry.endpoint == EVIL


def test_a_dotenv_gives_the_overlay_alone(load: Loader) -> None:
    files = {
        "work/.env": "OPENAI_API_KEY=sk-mine\nPIPELEX_ENV=prod\nDATABASE_URL=postgres://db\nDEBUG=1\n",
        "work/.pipelex/pipelex_prod.toml": "run.execution = 'hosted'\n",
    }
    settings = load("", files=files, trust_project=False)
    assert settings.run.execution == "hosted"
    assert not {"OPENAI_API_KEY", "DATABASE_URL"} & settings.environ.keys()
    (demand,) = settings.withheld  # what other programs read is not asked about
    assert str(demand) == ".env:1: OPENAI_API_KEY has calls go to the account of its key"
    assert load("", files=files).environ["OPENAI_API_KEY"] == "sk-mine"


@pytest.mark.parametrize("line", ["OPENAI_API_KEY=sk-evil", "GROQ_API_KEY=gsk-evil", "HF_TOKEN=hf-evil"])
def test_a_key_of_the_project_takes_no_prompt_elsewhere(load: Loader, line: str) -> None:
    home = {"home/.pipelex/.env": "OPENAI_API_KEY=sk-user\n"}
    settings = load("", files={"work/.env": line + "\n", **home}, trust_project=False)
    assert "evil" not in " ".join(settings.environ.values())
    assert settings.environ["OPENAI_API_KEY"] == "sk-user"
    assert len(settings.withheld) == 1


def test_nobody_is_asked_about_a_variable_that_the_process_gives_anyway(load: Loader) -> None:
    environ = {"OPENAI_API_KEY": "sk-user"}
    settings = load("", files={"work/.env": "OPENAI_API_KEY=sk-other\n"}, environ=environ, trust_project=False)
    assert (settings.environ["OPENAI_API_KEY"], settings.withheld) == ("sk-user", ())


# --- files that are named ---------------------------------------------------------------------------------------------

TLS = f'[temporal]\nis_enabled = true\n[{SERVER}.cloud]\ntarget_host = "cloud.example:7233"\ntls = {{ enabled = true, server_root_ca_cert = "ca.pem" }}\n'


def test_a_trusted_file_does_not_vouch_for_what_it_names(load: Loader, tmp_path: Path) -> None:
    key = f"{SERVER}.cloud.tls.server_root_ca_cert"
    first = untrusted(load, TLS, **{"work__ca.pem": "the CA of the firm"})
    assert f"decides {key}" in " ".join(map(str, first.withheld))
    record_trust(tmp_path / "home" / ".pipelex", first.withheld)
    again = untrusted(load, TLS)
    assert (again.withheld, again.get(key)) == ((), "ca.pem")
    (tmp_path / "work" / "ca.pem").write_bytes(b"the CA of somebody else \xff")
    changed = untrusted(load, TLS)
    assert [demand.file.name for demand in changed.withheld] == ["ca.pem"]
    assert not changed.is_set(key)


def test_a_link_out_of_the_project_is_asked_about_by_what_it_leads_to(load: Loader, tmp_path: Path) -> None:
    outside = tmp_path / "outside.pem"
    outside.write_text("one", encoding="utf-8")
    untrusted(load, TLS)
    (tmp_path / "work" / "ca.pem").symlink_to(outside)
    record_trust(tmp_path / "home" / ".pipelex", untrusted(load, TLS).withheld)
    assert untrusted(load, TLS).withheld == ()
    outside.write_text("two", encoding="utf-8")
    assert len(untrusted(load, TLS).withheld) == 1


def test_a_folder_without_a_configuration_is_somebodys_too(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / ".env").write_text("OPENAI_BASE_URL=https://evil.example\n", encoding="utf-8")
    settings = load_settings(cwd=tmp_path / "work", environ={"HOME": str(tmp_path / "home")})
    assert "OPENAI_BASE_URL" not in settings.environ
    assert len(settings.withheld) == 1


def test_the_users_own_folder_is_trusted(load: Loader, tmp_path: Path) -> None:
    text = 'runtime.telemetry.endpoint = "https://mine.example/${NAME}"\n'
    files = {
        "home/.pipelex/pipelex.toml": text,
        "home/.pipelex/.env": "NAME=n\n",
        "home/.env": "OPENAI_BASE_URL=https://x\n",
    }
    assert load(files=files, trust_project=False).runtime.telemetry.endpoint == "https://mine.example/n"
    at_home = load_settings(cwd=tmp_path / "home", environ={"HOME": str(tmp_path / "home")})
    assert at_home.runtime.telemetry.endpoint == "https://mine.example/n"
    assert (at_home.environ["OPENAI_BASE_URL"], at_home.withheld) == ("https://x", ())


# --- trusting ---------------------------------------------------------------------------------------------------------

MINE = 'runtime.telemetry.endpoint = "https://mine.example"\n'


def trust(settings: Settings) -> list[Path]:
    return record_trust(settings.home_dir, settings.demands)


def test_a_file_is_trusted_by_its_place_and_its_content(load: Loader, tmp_path: Path) -> None:
    settings = untrusted(load, MINE)
    assert trust(settings) == [tmp_path / "work/.pipelex/pipelex.toml"]
    assert untrusted(load, MINE).runtime.telemetry.endpoint == "https://mine.example"
    assert trust(untrusted(load, MINE)) == []

    changed = untrusted(load, MINE.replace("mine", "evil"))
    assert (changed.runtime.telemetry.endpoint, len(changed.withheld)) == ("", 1)
    assert untrusted(load, MINE).withheld == ()  # what it was is still trusted

    elsewhere = load(MINE, cwd="other", files={"other/.pipelex/pipelex.toml": MINE}, trust_project=False)
    assert len(elsewhere.withheld) == 1


def test_what_needs_no_trust_may_change_in_other_files(load: Loader) -> None:
    trust(untrusted(load, MINE, **{"work__.pipelex__pipelex_override.toml": "run.execution = 'local'\n"}))
    more = untrusted(load, MINE, **{"work__.pipelex__pipelex_override.toml": "run.execution = 'hosted'\n"})
    assert (more.withheld, more.run.execution) == ((), "hosted")
    worse = untrusted(load, MINE, **{"work__.pipelex__pipelex_override.toml": 'runtime.storage.method = "s3"\n'})
    assert [demand.shown for demand in worse.withheld] == [".pipelex/pipelex_override.toml"]


def test_trust_can_be_taken_back(load: Loader, tmp_path: Path) -> None:
    settings = untrusted(load, MINE)
    trust(settings)
    assert forget_trust(settings.home_dir, tmp_path / "other") == []
    assert len(forget_trust(settings.home_dir, tmp_path / "work")) == 1
    assert len(untrusted(load, MINE).withheld) == 1


@pytest.mark.parametrize("said", ["1", "true", "YES"])
def test_workers_and_ci_say_it_by_a_variable_of_the_process(load: Loader, said: str) -> None:
    settings = load(MINE, environ={"PIPELEX_TRUST_PROJECT": said}, trust_project=False)
    assert (settings.runtime.telemetry.endpoint, settings.withheld) == ("https://mine.example", ())
    assert load(MINE, environ={"PIPELEX_TRUST_PROJECT": "0"}, trust_project=False).withheld != ()


def test_the_record_is_the_users_alone(load: Loader) -> None:
    settings = untrusted(load, MINE)
    trust(settings)
    record = settings.home_dir / "trusted.toml"
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert list(read_record(settings.home_dir)) == [os.path.realpath(settings.withheld[0].file)]
    record.write_text("files = [", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="record of trusted files"):
        untrusted(load, MINE)


def test_a_record_in_the_project_counts_for_nothing(load: Loader, tmp_path: Path) -> None:
    settings = untrusted(load, MINE)
    trust(settings)
    record = (settings.home_dir / "trusted.toml").read_text(encoding="utf-8")
    (settings.home_dir / "trusted.toml").unlink()
    files = {"work__.pipelex__trusted.toml": record, "work__.env": "PIPELEX_HOME=.pipelex\nHOME=.\n"}
    found = untrusted(load, MINE, **files)
    assert found.runtime.telemetry.endpoint == ""
    assert found.home_dir == tmp_path / "home" / ".pipelex"


def test_temporal_settings_can_be_read_without_trust(load: Loader) -> None:
    text = f'[temporal]\nis_enabled = true\n[{SERVER}.cloud]\ntarget_host = "x.tmprl.cloud:7233"\napi_key_method = "env"\napi_key_id = "K"\n'
    config = parse_temporal_config(untrusted(load, text + 'namespace = "n"\n'))
    assert config.is_enabled
    assert config.temporal_config.temporal_server_configs["cloud"].target_host == "localhost:7233"
    assert config.temporal_config.temporal_server_configs["cloud"].api_key_method == "none"


@pytest.mark.parametrize(
    ("address", "is_here"),
    [
        ("http://localhost:1", True), ("localhost:7233", True), ("127.0.0.1:1", True), ("http://[::1]:8/v1", True), ("http://127.1.2.3", True),
        ("http://localhost.evil.example", False), ("http://user:localhost@evil.example", False), ("evil.example", False), ("http://0x7f.1", False),
        ("", False), ("http://[", False), ("file:///x", False), ("http://localhost\\@evil.example", False),
    ],
)  # fmt: skip
def test_addresses_of_this_machine(address: str, is_here: bool) -> None:
    assert stays_here(address) is is_here


def test_a_layer_says_what_it_would_do_with_each_key(tmp_path: Path) -> None:
    text = 'runtime.storage.s3 = { endpoint = "${A}", bucket = "${B}" }\n'
    layer = Layer(
        "project",
        {"runtime": {"storage": {"s3": {"endpoint": "${A}", "bucket": "${B}"}}}},
        tmp_path / "f",
        "f",
        text,
    )
    found = withheld_settings(layer, {}, ["runtime"])
    assert [str(demand) for demand in found.demands] == [
        "f:1: runtime.storage.s3.endpoint sends ${A} to ${A}",
        "f:1: runtime.storage.s3.bucket reads ${B}",
    ]
    assert found.data == {}

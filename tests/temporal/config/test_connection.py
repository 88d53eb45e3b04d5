from pathlib import Path

import pytest

from pipelex.errors import TemporalConfigError
from pipelex.temporal.config import ConnectionSettings, TLSSettings, connection, parse_temporal_config
from tests.support.settings_files import Loader

USUAL = "home/.config/temporalio/temporal.toml"
PROD = "[temporal.temporal_config]\nselected_server = 'prod'\n[temporal.temporal_config.temporal_server_configs.prod]\n"


@pytest.fixture(autouse=True)
def _linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")


def connect(load: Loader, text: str = "", files: dict[str, str] | None = None, **environ: str) -> ConnectionSettings:
    settings = load(text, files=files, environ=environ)
    return connection(parse_temporal_config(settings), settings)


def test_by_default_the_local_server(load: Loader) -> None:
    found = connect(load)
    assert (found.target_host, found.namespace, found.api_key, found.tls) == ("localhost:7233", "default", None, None)
    assert set(found.sources.values()) == {"default"}
    assert found.is_local


def test_the_selected_profile_and_its_places(load: Loader) -> None:
    found = connect(load, PROD + "target_host = 'h:1'\nnamespace = '${NS}'\n", NS="n")
    assert (found.server, found.target_host, found.namespace) == ("prod", "h:1", "n")
    assert found.sources["target_host"] == ".pipelex/pipelex.toml:4"
    assert found.sources["namespace"] == ".pipelex/pipelex.toml:5 ${NS}"
    assert not found.is_local


def test_another_profile_can_be_named(load: Loader) -> None:
    settings = load(environ={"TESTING_TEMPORAL_TARGET_HOST": "t:1", "TESTING_TEMPORAL_NAMESPACE": "n"})
    config = parse_temporal_config(settings)
    with pytest.raises(TemporalConfigError, match="TESTING_TEMPORAL_MAIN_API_KEY"):
        connection(config, settings, server="testing")
    with pytest.raises(TemporalConfigError, match="did you mean 'testing'"):
        connection(config, settings, server="testin")


def test_the_key_comes_from_the_named_variable_and_turns_tls_on(load: Loader) -> None:
    text = PROD + "api_key_method = 'env'\napi_key_id = 'CLOUD_KEY'\n"
    found = connect(load, text, CLOUD_KEY="s3cret")
    assert found.api_key is not None
    assert found.api_key.get_secret_value() == "s3cret"
    assert found.tls == TLSSettings()
    assert "s3cret" not in repr(found)
    with pytest.raises(TemporalConfigError, match=r"pipelex\.toml:5: .*CLOUD_KEY"):
        connect(load, text)


def test_the_key_comes_from_the_secrets(load: Loader) -> None:
    text = PROD + "api_key_method = 'secret_provider'\napi_key_id = 'cloud-key'\n"
    found = connect(load, text, {"home/.pipelex/secrets.toml": "cloud-key = 'of the file'\n"})
    assert found.api_key is not None
    assert found.api_key.get_secret_value() == "of the file"


def test_certificates_are_read_from_the_projects_root(load: Loader, tmp_path: Path) -> None:
    text = PROD + "tls = { client_cert = 'c.pem', client_private_key = 'c.key', server_name = 's' }\n"
    found = connect(load, text, {"work/c.pem": "CERT", "work/c.key": "KEY"})
    assert found.tls == TLSSettings("s", None, b"CERT", b"KEY")
    assert "KEY" not in repr(found.tls)
    (tmp_path / "work/c.key").unlink()
    with pytest.raises(TemporalConfigError, match=r"c\.key cannot be read"):
        connect(load, text)


def test_a_key_is_never_sent_without_tls(load: Loader) -> None:
    text = PROD + "tls.enabled = false\napi_key_method = 'env'\napi_key_id = 'K'\n"
    with pytest.raises(TemporalConfigError, match="never sent without TLS"):
        connect(load, text, K="k")


def test_temporals_variables_win(load: Loader) -> None:
    text = PROD + "target_host = 'h:1'\nnamespace = 'n'\napi_key_method = 'env'\napi_key_id = 'NOT_SET'\n"
    found = connect(load, text, TEMPORAL_ADDRESS="other:1", TEMPORAL_API_KEY="k", TEMPORAL_TLS_SERVER_NAME="sni")
    assert (found.target_host, found.namespace) == ("other:1", "n")
    assert found.api_key is not None
    assert found.api_key.get_secret_value() == "k"
    assert found.tls == TLSSettings(server_name="sni")
    assert found.sources["target_host"] == "environment variable TEMPORAL_ADDRESS"
    assert found.sources["namespace"] == ".pipelex/pipelex.toml:5"
    assert found.sources["tls"] == "environment variable TEMPORAL_TLS_SERVER_NAME"
    assert connect(load, TEMPORAL_NAMESPACE="mine").namespace == "mine"


def test_the_usual_file_stands_in_for_the_untouched_local_profile_only(load: Loader) -> None:
    files = {USUAL: "[profile.default]\naddress = 'usual:1'\nnamespace = 'usual'\n"}
    found = connect(load, "", files)
    assert (found.target_host, found.namespace) == ("usual:1", "usual")
    assert "temporal.toml" in found.sources["target_host"]
    assert connect(load, PROD + "target_host = 'h:1'\n", files).target_host == "h:1"
    local = "temporal.temporal_config.temporal_server_configs.local.namespace = 'n'\n"
    found = connect(load, local, files)
    assert (found.target_host, found.namespace) == ("localhost:7233", "n")


def test_a_usual_file_without_a_default_profile_changes_nothing(load: Loader) -> None:
    assert connect(load, "", {USUAL: "[profile.other]\naddress = 'usual:1'\n"}).target_host == "localhost:7233"


def test_a_profile_that_is_asked_for_wins_over_ours(load: Loader) -> None:
    files = {USUAL: "[profile.cloud]\naddress = 'cloud:1'\napi_key = 'k'\n[profile.cloud.tls]\nserver_name = 's'\n"}
    found = connect(load, PROD + "target_host = 'h:1'\nnamespace = 'n'\n", files, TEMPORAL_PROFILE="cloud")
    assert (found.target_host, found.namespace, found.tls) == ("cloud:1", "n", TLSSettings("s"))
    found = connect(load, "", files, TEMPORAL_PROFILE="cloud", TEMPORAL_ADDRESS="last:1")
    assert found.target_host == "last:1"
    with pytest.raises(TemporalConfigError, match="nobody"):
        connect(load, "", files, TEMPORAL_PROFILE="nobody")


def test_a_named_file_is_read_and_must_be_there(load: Loader, tmp_path: Path) -> None:
    file = tmp_path / "t.toml"
    with pytest.raises(TemporalConfigError, match="TEMPORAL_CONFIG_FILE is set, but there is no file"):
        connect(load, TEMPORAL_CONFIG_FILE=str(file))
    file.write_text("[profile.default]\naddress = 'named:1'\n", encoding="utf-8")
    assert connect(load, TEMPORAL_CONFIG_FILE=str(file)).target_host == "named:1"
    file.write_text("[profile.default\n", encoding="utf-8")
    with pytest.raises(TemporalConfigError, match="TOML parse error"):
        connect(load, TEMPORAL_CONFIG_FILE=str(file))


@pytest.mark.parametrize(
    ("text", "environ", "shown"),
    [
        ("target_host = 'h:1'\n", {}, None),
        ("target_host = 'h:1'\nui_url = 'https://ui.example/'\n", {}, "https://ui.example"),
        ("target_host = 'h:1'\nui_url = 'https://ui.example'\n", {"TEMPORAL_ADDRESS": "other:1"}, None),
        ("target_host = 'h:1'\nui_url = '${UI}'\n", {"UI": "http://ui.example:8080"}, "http://ui.example:8080"),
        ("target_host = 'n.a1b2c.tmprl.cloud:7233'\n", {}, "https://cloud.temporal.io"),
        ("target_host = 'eu-west-1.aws.api.temporal.io:7233'\n", {}, "https://cloud.temporal.io"),
        ("target_host = '127.0.0.1:7300'\n", {}, "http://localhost:8300"),
        ("target_host = 'localhost:7300'\n", {}, "http://localhost:8300"),
        ("target_host = '127.0.0.1:7400'\n", {}, None),
        ("target_host = 'h:7300'\n", {}, None),
    ],
)
def test_where_the_ui_is(load: Loader, text: str, environ: dict[str, str], shown: str | None) -> None:
    note = {"work/.pipelex/dev/server.json": '{"port": 7300, "ui_port": 8300}'}
    assert connect(load, PROD + text, note, **environ).ui_url == shown


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"port": 7300, "ui_port": "evil.example/"}'])
def test_a_note_of_no_use_says_nothing(load: Loader, note: str) -> None:
    text = PROD + "target_host = '127.0.0.1:7300'\n"
    assert connect(load, text, {"work/.pipelex/dev/server.json": note}).ui_url is None
    with pytest.raises(TemporalConfigError, match=r"pipelex\.toml:4: .*ui_url"):
        connect(load, PROD + "ui_url = 'ui.example'\n")

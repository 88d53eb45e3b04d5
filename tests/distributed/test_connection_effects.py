"""Connection profiles, Temporal's own variables and files: which server is reached, and as whom."""

import time
from pathlib import Path
from typing import Any

import pytest

from pipelex.config import load_settings
from pipelex.errors import PipelexError
from pipelex.runner import Pipelex
from pipelex.temporal.dev_server import DevServer
from tests.distributed.inprocess import polling
from tests.distributed.tls_gate import SERVER_NAME, Certificates, Gate, gate, make_certificates
from tests.support.openai_server import OpenAIStub
from tests.support.project import Project

INPUT = {"name": "Ada"}
PROFILE = "temporal.temporal_config.temporal_server_configs.tests"
KEY = "key-0123456789-of-the-cloud"


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def tls_of(certificates: Certificates, client: str | None = None) -> dict[str, Any]:
    keys = {f"{PROFILE}.tls.server_name": SERVER_NAME, f"{PROFILE}.tls.server_root_ca_cert": str(certificates.ca)}
    if client is not None:
        certificate, key = certificates.pair(client)
        keys |= {f"{PROFILE}.tls.client_cert": str(certificate), f"{PROFILE}.tls.client_private_key": str(key)}
    return keys


def app_at(project: Project, found: Gate, overrides: dict[str, Any], environ: dict[str, str] | None = None) -> Pipelex:
    settings = load_settings(
        cwd=project.root,
        environ={**project.environ, **(environ or {})},
        overrides={f"{PROFILE}.target_host": found.target, **overrides},
    )
    return Pipelex(settings, orchestrator="temporal")


async def greeted(app: Pipelex, project: Project, stub: OpenAIStub) -> None:
    """Run a method with a worker; both connect as the app's settings say."""
    stub.on("Hello", text="Hi")
    async with app, polling(app):
        assert (await app.load(project.root / "greet.mthds").run(INPUT)).text == "Hi"


async def refused(app: Pipelex) -> PipelexError:
    began = time.monotonic()
    with pytest.raises(PipelexError) as failed:
        async with app:
            await app.orchestrator.connect()
    assert time.monotonic() - began < 5
    return failed.value


async def test_mutual_tls(
    project: Project, stub: OpenAIStub, temporal_server: DevServer, certificates: Certificates
) -> None:
    async with gate(temporal_server.target, certificates, wants_certificate=True) as found:
        await greeted(app_at(project, found, tls_of(certificates, "client")), project, stub)

    assert found.client_names == {"client"}
    assert any(path.endswith("/StartWorkflowExecution") for path in found.paths)


@pytest.mark.parametrize("client", [None, "stranger"])
async def test_mutual_tls_without_the_right_certificate(
    project: Project, temporal_server: DevServer, certificates: Certificates, client: str | None
) -> None:
    async with gate(temporal_server.target, certificates, wants_certificate=True) as found:
        error = await refused(app_at(project, found, tls_of(certificates, client)))

    assert found.paths == []
    assert f"Temporal at {found.target} closes the connection after the TLS handshake" in str(error)
    assert "tls.client_cert" in (error.report.advice or "")


async def test_the_root_and_the_name_are_checked(
    project: Project, temporal_server: DevServer, certificates: Certificates
) -> None:
    right = tls_of(certificates)
    async with gate(temporal_server.target, certificates) as found:
        for key, value, said in (
            ("server_name", "another.test", "its certificate is for other names"),
            ("server_root_ca_cert", None, "its certificate was issued by a CA that is not trusted here"),
            ("enabled", False, "closes the connection; it may want TLS"),
        ):
            error = await refused(app_at(project, found, {**right, f"{PROFILE}.tls.{key}": value}))
            assert said in str(error)
        assert found.paths == []
        async with app_at(project, found, right) as app:
            await app.orchestrator.connect()
    assert found.client_names == set()


async def test_tls_where_there_is_none(project: Project) -> None:
    error = await refused(project.app(overrides={f"{PROFILE}.tls.enabled": True}))

    assert (error.code, "it does not speak TLS" in str(error)) == ("runtime.misconfigured", True)


@pytest.mark.parametrize("method", ["env", "secret_provider"])
async def test_an_api_key(
    project: Project, stub: OpenAIStub, temporal_server: DevServer, certificates: Certificates, method: str
) -> None:
    key = {f"{PROFILE}.api_key_method": method, f"{PROFILE}.api_key_id": "CLOUD_KEY"}
    if method == "secret_provider":
        secrets = project.root / "home" / ".pipelex" / "secrets.toml"
        secrets.parent.mkdir(parents=True)
        secrets.write_text(f'CLOUD_KEY = "{KEY}"\n', encoding="utf-8")
        secrets.chmod(0o600)
    environ = {"CLOUD_KEY": KEY} if method == "env" else {}
    async with gate(temporal_server.target, certificates, api_key=KEY) as found:
        await greeted(app_at(project, found, {**tls_of(certificates), **key}, environ), project, stub)

    assert found.authorizations == {f"Bearer {KEY}"}


async def test_an_expired_api_key(project: Project, temporal_server: DevServer, certificates: Certificates) -> None:
    key = {f"{PROFILE}.api_key_method": "env", f"{PROFILE}.api_key_id": "CLOUD_KEY"}
    async with gate(temporal_server.target, certificates, api_key=KEY) as found:
        error = await refused(app_at(project, found, {**tls_of(certificates), **key}, {"CLOUD_KEY": "old"}))

    assert error.code == "runtime.misconfigured"
    assert "refuses the credentials for namespace 'default'" in str(error)
    assert "old" not in str(error)


async def test_temporal_s_own_variables(
    project: Project, stub: OpenAIStub, temporal_server: DevServer, certificates: Certificates
) -> None:
    certificate, key = certificates.pair("client")
    async with gate(temporal_server.target, certificates, wants_certificate=True, api_key=KEY) as found:
        environ = {
            "TEMPORAL_ADDRESS": found.target,
            "TEMPORAL_NAMESPACE": "default",
            "TEMPORAL_API_KEY": KEY,
            "TEMPORAL_TLS_SERVER_NAME": SERVER_NAME,
            "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(certificates.ca),
            "TEMPORAL_TLS_CLIENT_CERT_PATH": str(certificate),
            "TEMPORAL_TLS_CLIENT_KEY_PATH": str(key),
        }
        wrong = {f"{PROFILE}.target_host": "127.0.0.1:1", f"{PROFILE}.namespace": "nowhere"}
        await greeted(app_at(project, found, wrong, environ), project, stub)

    assert (found.client_names, found.authorizations) == ({"client"}, {f"Bearer {KEY}"})


async def test_a_temporal_toml(
    project: Project, stub: OpenAIStub, temporal_server: DevServer, certificates: Certificates
) -> None:
    async with gate(temporal_server.target, certificates, api_key=KEY) as found:
        file = project.root / "temporal.toml"
        file.write_text(
            f'[profile.mine]\naddress = "{found.target}"\nnamespace = "default"\napi_key = "{KEY}"\n'
            f'[profile.mine.tls]\nserver_name = "{SERVER_NAME}"\nserver_ca_cert_path = "{certificates.ca}"\n',
            encoding="utf-8",
        )
        environ = {"TEMPORAL_CONFIG_FILE": str(file), "TEMPORAL_PROFILE": "mine"}
        await greeted(app_at(project, found, {f"{PROFILE}.target_host": "127.0.0.1:1"}, environ), project, stub)

    assert found.authorizations == {f"Bearer {KEY}"}


async def test_the_selected_server(project: Project, stub: OpenAIStub, temporal_server: DevServer) -> None:
    other = "temporal.temporal_config.temporal_server_configs.other.target_host"
    async with gate(temporal_server.target, None) as found:
        for selected, is_reached in (("tests", False), ("other", True)):
            overrides = {"temporal.temporal_config.selected_server": selected, other: found.target}
            settings = load_settings(cwd=project.root, environ=project.environ, overrides=overrides)
            async with Pipelex(settings, orchestrator="temporal") as app:
                await app.orchestrator.connect()
            assert bool(found.paths) is is_reached


async def test_a_wrong_namespace(project: Project) -> None:
    error = await refused(project.app(overrides={f"{PROFILE}.namespace": "nowhere"}))

    assert (error.code, "no namespace 'nowhere'" in str(error)) == ("runtime.misconfigured", True)


async def test_no_server(project: Project) -> None:
    error = await refused(project.app(overrides={f"{PROFILE}.target_host": "127.0.0.1:1"}))

    assert (error.code, "127.0.0.1:1" in str(error)) == ("runtime.unavailable", True)


async def test_the_rpc_timeout(project: Project, temporal_server: DevServer) -> None:
    half_a_second = {"temporal.worker_config.rpc_timeout": "0:00:00.5"}
    async with gate(temporal_server.target, None) as found, app_at(project, found, half_a_second) as app:
        await app.orchestrator.connect()
        method = app.load(project.root / "greet.mthds")
        found.is_holding = True
        began = time.monotonic()
        with pytest.raises(PipelexError) as failed:
            await method.start(INPUT)
        found.is_holding = False

    assert time.monotonic() - began < 5
    assert failed.value.code == "runtime.unavailable"


def test_certificates_of_the_users_own_file_are_read_relative_to_it(
    project: Project, certificates: Certificates
) -> None:
    from pipelex.temporal.config import connection, parse_temporal_config

    home = project.root / "home" / ".pipelex"
    home.mkdir(parents=True)
    (home / "pipelex.toml").write_text(f'{PROFILE}.tls.server_root_ca_cert = "own/ca.pem"\n', encoding="utf-8")
    for folder, content in ((home, Path(certificates.ca).read_bytes()), (project.root, b"the project's")):
        (folder / "own").mkdir()
        (folder / "own" / "ca.pem").write_bytes(content)
    settings = project.settings()
    tls = connection(parse_temporal_config(settings), settings).tls
    assert tls is not None
    assert tls.server_root_ca_cert == certificates.ca.read_bytes()
    (project.root / ".pipelex" / "pipelex_override.toml").write_text(
        f'{PROFILE}.tls.server_root_ca_cert = "own/ca.pem"\n', encoding="utf-8"
    )
    settings = project.settings()
    tls = connection(parse_temporal_config(settings), settings).tls
    assert tls is not None
    assert tls.server_root_ca_cert == b"the project's", "the file that decides a value is what its path starts from"


def test_certificates_are_read_relative_to_the_project(project: Project, certificates: Certificates) -> None:
    from pipelex.temporal.config import connection, parse_temporal_config

    (project.root / "ca.pem").write_bytes(Path(certificates.ca).read_bytes())
    settings = project.settings({f"{PROFILE}.tls.server_root_ca_cert": "ca.pem"})
    tls = connection(parse_temporal_config(settings), settings).tls

    assert tls is not None
    assert tls.server_root_ca_cert == certificates.ca.read_bytes()

"""What `deploy/` ships: every queue has its workers, and the files for clusters say what `workers.toml` says."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest
import yaml

import pipelex
from pipelex.config import load_settings
from pipelex.durable.dispatch import OPTIONS, resolve_dispatch
from pipelex.temporal.config import TemporalConfig, parse_temporal_config
from pipelex.temporal.config.catalog import ACTIVITIES
from pipelex.temporal.worker.profiles import worker_tuning
from pipelex.temporal.worker.queues import check_worker_queue
from pipelex.temporal.worker.scopes import resolve_scope
from tests.distributed.cluster import DEPLOY

TRUSTED = {"HOME": "/nonexistent", "PIPELEX_TRUST_PROJECT": "1"}
NAMES = ("single-worker", "router-and-runners", "per-provider")
BACKENDS = (None, "openai", "anthropic", "mistral", "google")


@pytest.fixture(scope="module")
def manifests() -> Iterator[ModuleType]:
    sys.path.insert(0, str(DEPLOY))
    try:
        yield import_module("manifests")
    finally:
        sys.path.remove(str(DEPLOY))


def config_of(name: str, environment: str | None = None) -> TemporalConfig:
    environ = {**TRUSTED, "PIPELEX_S3_BUCKET": "b"} | ({"PIPELEX_ENV": environment} if environment else {})
    return parse_temporal_config(load_settings(cwd=DEPLOY / name, environ=environ))


@pytest.mark.parametrize("name", NAMES)
def test_every_activity_goes_where_a_worker_has_it(manifests: ModuleType, name: str) -> None:
    config = config_of(name)
    workers = manifests.Deployment.read(DEPLOY / name).workers
    served: set[tuple[str, str]] = set()
    workflow_queues: set[str] = set()
    for worker in workers:
        scope = resolve_scope(config, worker.scope)
        worker_tuning(config, worker.profile)
        queue = check_worker_queue(config, worker.task_queue)
        served |= {(queue, activity) for activity in scope.activities}
        workflow_queues |= {queue} if scope.workflows else set()

    assert config.warnings == ()
    assert workflow_queues == {config.worker_config.default_task_queue}
    (workflow_queue,) = workflow_queues
    for activity in ACTIVITIES:
        for backend in BACKENDS:
            dispatch = resolve_dispatch(
                config.routing, activity=activity, backend=backend, workflow_queue=workflow_queue
            )
            assert (dispatch.queue or workflow_queue, activity) in served, backend


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("environment", ["cluster", "compose"])
def test_the_overlays_fit(name: str, environment: str) -> None:
    known = {**TRUSTED, "PIPELEX_ENV": environment, "PIPELEX_S3_BUCKET": "b"}
    storage = load_settings(cwd=DEPLOY / name, environ=known).runtime.storage

    assert (
        (storage.method, storage.s3.bucket) == ("s3", "b")
        if environment == "cluster"
        else storage.local.path == "storage"
    )
    config = config_of(name, environment)
    payloads = config.payload_codec_config
    # Payloads go to the store of everything else: whoever shares the one shares the other.
    assert payloads.is_enabled
    assert payloads.storage.model_dump(exclude={"uri_format"}) == storage.model_dump(exclude={"uri_format"})
    unsaid = {"payload_codec_config"}
    assert config.model_dump(exclude=unsaid) == config_of(name).model_dump(exclude=unsaid)


def test_pools_of_providers_share_no_secret(manifests: ModuleType) -> None:
    workers = {worker.name: worker for worker in manifests.Deployment.read(DEPLOY / "per-provider").workers}

    assert workers["router"].secrets == ()
    assert workers["openai"].secrets == ("OPENAI_API_KEY",)
    assert workers["anthropic"].secrets == ("ANTHROPIC_API_KEY",)
    options = config_of("per-provider").queue_options
    for name in ("openai_q", "anthropic_q", "img_gen_q", "ocr_q"):
        assert options[name].max_task_queue_activities_per_second
        assert any(option.is_set_by(options[name]) for option in OPTIONS if option.is_retry)


@pytest.mark.parametrize("name", NAMES)
def test_the_files_are_made_from_the_list(manifests: ModuleType, name: str) -> None:
    for path, text in manifests.files(manifests.Deployment.read(DEPLOY / name)).items():
        assert (DEPLOY / name / path).read_text(encoding="utf-8") == text, "run: python deploy/manifests.py"
    shipped = {file.name for file in (DEPLOY / name / "systemd").iterdir()}
    assert shipped == {
        Path(path).name for path in manifests.files(manifests.Deployment.read(DEPLOY / name)) if "systemd" in path
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_yaml_files_start_these_workers(manifests: ModuleType, name: str) -> None:
    deployment = manifests.Deployment.read(DEPLOY / name)
    compose = cast("dict[str, Any]", yaml.safe_load((DEPLOY / name / "compose.yaml").read_text(encoding="utf-8")))
    kubernetes = list(yaml.safe_load_all((DEPLOY / name / "kubernetes" / "workers.yaml").read_text(encoding="utf-8")))

    assert [item["metadata"]["name"] for item in kubernetes] == [f"pipelex-{each.name}" for each in deployment.workers]
    for worker, item in zip(deployment.workers, kubernetes, strict=True):
        service = compose["services"][worker.name]
        (container,) = item["spec"]["template"]["spec"]["containers"]
        assert service["command"][: len(worker.arguments)] == worker.arguments
        assert container["args"] == service["command"]
        probes = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
        assert probes == {"startup": "/readyz", "readiness": "/readyz", "liveness": "/healthz"}
        assert "/readyz" in compose["x-worker"]["healthcheck"]["test"][-1]
        assert set(worker.secrets) == {key for key in service["environment"] if key in deployment.secrets}


def images_of(text: str) -> list[str]:
    """The images that a file of any kind names."""
    found = re.findall(r"^\s*(?:-\s*)?image:\s*(\S+)$|^FROM\s+(\S+)", text, re.MULTILINE)
    named = [compose or docker for compose, docker in found]
    kustomized = re.findall(r"newName: (\S+), newTag: (\S+) ", text)
    return [*named, *(f"{name}:{tag}" for name, tag in kustomized)]


def test_every_image_is_pinned_to_a_patch_version() -> None:
    files = [
        path
        for path in DEPLOY.rglob("*")
        if path.is_file() and (path.suffix in (".yaml", ".yml") or "Dockerfile" in path.name)
    ]
    found = {(file.relative_to(DEPLOY), image) for file in files for image in images_of(file.read_text("utf-8"))}
    assert len(found) >= 10
    for file, image in found:
        default = re.sub(r"^\$\{\w+:-(.+)\}$", r"\1", image)
        assert re.fullmatch(r"[\w./-]+:\d+\.\d+\.\d+(-[\w.-]+)?(@sha256:[0-9a-f]{64})?", default), (file, image)
        if "pipelex-worker" in default:
            assert default == f"pipelex-worker:{pipelex.__version__}", file


def test_images_install_what_the_lock_file_names() -> None:
    """Names, versions and markers of the constraints are those of the lock, build requirements included."""
    lock = (DEPLOY.parent / "requirements-dev.lock").read_text("utf-8")
    locked = re.findall(r"^([a-z0-9][^ \n]*==[^ \n]+(?: ; [^\\\n]*[^ \\\n])?) *\\?$", lock, re.MULTILINE)
    constraints = (DEPLOY / "constraints.txt").read_text("utf-8").split("\n")
    assert [line for line in constraints if line] == locked
    dockerfile = (DEPLOY / "Dockerfile").read_text("utf-8")
    installs = [line for line in dockerfile.splitlines() if re.search(r"\b(pip|uv) .*install", line)]
    assert installs
    assert all("PIP_CONSTRAINT=/build/constraints.txt" in line for line in installs)
    assert "apt-get" not in dockerfile, "packages of the distribution would need their versions, too"
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text("utf-8"))["project"]
    optional = [each for group in project["optional-dependencies"].values() for each in group]
    wanted = {re.split(r"[^A-Za-z0-9_.-]", each)[0].lower() for each in (*project["dependencies"], *optional)}
    pinned = {re.split("==", line)[0].partition("[")[0] for line in locked}
    missing = {re.sub(r"[-_.]+", "-", name) for name in wanted} - {re.sub(r"[-_.]+", "-", name) for name in pinned}
    assert missing <= {"pipelex"}, "run `make lock`"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on this machine")
@pytest.mark.parametrize("name", NAMES)
def test_kustomize_takes_it(name: str) -> None:
    done = subprocess.run(["kubectl", "kustomize", str(DEPLOY / name)], capture_output=True, text=True, check=True)

    kinds = [item["kind"] for item in yaml.safe_load_all(done.stdout)]
    assert (kinds.count("ConfigMap"), set(kinds)) == (1, {"ConfigMap", "Deployment"})


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not on this machine")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for name in NAMES:
        folder = tmp_path / name
        folder.mkdir()
        for file in (DEPLOY / name / "systemd").iterdir():
            # The command is not installed here, which is all systemd should have to say.
            text = file.read_text(encoding="utf-8").replace("/srv/pipelex/venv/bin/pipelex", "/bin/true")
            (folder / file.name.replace("@.", "@1.")).write_text(text, encoding="utf-8")
        units = [str(file) for file in sorted(folder.iterdir())]
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
        )
        mine = [line for line in done.stderr.splitlines() if str(folder) in line]
        assert mine == []


@pytest.mark.parametrize("late", [False, True], ids=["no folder", "a worker that is never ready"])
def test_a_deployment_that_does_not_start_says_why_in_a_sentence(
    manifests: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, late: bool
) -> None:
    sys.path.insert(0, str(DEPLOY))
    try:
        local = import_module("local")
    finally:
        sys.path.remove(str(DEPLOY))

    async def wait(_: object) -> None:
        deployment = local.LocalDeployment(manifests.Deployment.read(DEPLOY / NAMES[0]), None, tmp_path)
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as sleeper:
            deployment.processes["slow"] = sleeper
            try:
                await deployment.wait_until_ready()
            finally:
                sleeper.kill()

    if late:
        monkeypatch.setattr(local, "READY_SECONDS", 0.2)
        monkeypatch.setattr(local, "run", wait)
    monkeypatch.setattr(sys, "argv", ["local.py", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit) as ended:
        local.main()
    assert re.match(r"Error: .*(not ready after 0 s: slow|nowhere)", str(ended.value.code))

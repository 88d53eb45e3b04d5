"""Write systemd units, a compose file and Kubernetes manifests from a deployment's `workers.toml`.

`python deploy/manifests.py` writes them for every deployment here; the results are kept in version control.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from workers import NAMES, Deployment, WorkerSpec

HERE = Path(__file__).resolve().parent
VERSION = re.findall(r'^__version__ = "(.+)"$', (HERE.parent / "src/pipelex/__init__.py").read_text("utf-8"), re.M)[0]
IMAGE = f"pipelex-worker:{VERSION}"
"""The worker's image, tagged by version: with a moving tag, the pods of one deployment could differ."""
HEALTH_PORT = 8080
GRACE = 45
"""Seconds that a worker has to drain and exit: its own 30 seconds of grace, and some to spare."""


def files(deployment: Deployment) -> dict[str, str]:
    """The text of each file, by its path below the deployment's folder."""
    found = {
        f"systemd/pipelex-{worker.name}@.service": systemd_unit(deployment, worker) for worker in deployment.workers
    }
    found["systemd/pipelex.target"] = systemd_target(deployment)
    found["compose.yaml"] = compose(deployment)
    found["kubernetes/workers.yaml"] = "---\n".join(kubernetes(deployment))
    found["kustomization.yaml"] = kustomization(deployment)
    return found


def header(deployment: Deployment) -> str:
    """The first line of each file."""
    return f"# {deployment.description}. Made from workers.toml by deploy/manifests.py.\n"


# --- systemd ----------------------------------------------------------------------------------------------------------


def systemd_unit(deployment: Deployment, worker: WorkerSpec) -> str:
    """A template unit: instance 1 is the first process of this kind, 2 the second, on as many machines as you like."""
    command = " ".join(["/srv/pipelex/venv/bin/pipelex", *worker.arguments, "--ready-file /run/%p-%i/ready"])
    return f"""{header(deployment)}# Settings in /srv/pipelex/.pipelex/; TEMPORAL_ADDRESS and the like in /etc/pipelex/temporal.env;
# secrets of this kind of worker ({", ".join(worker.secrets) or "none"}) in /etc/pipelex/{worker.name}.env.
[Unit]
Description=Pipelex worker {worker.name} %i
Wants=network-online.target
After=network-online.target
PartOf=pipelex.target

[Service]
User=pipelex
WorkingDirectory=/srv/pipelex
Environment=PIPELEX_TRUST_PROJECT=1
EnvironmentFile=/etc/pipelex/temporal.env
EnvironmentFile=-/etc/pipelex/{worker.name}.env
RuntimeDirectory=%p-%i
ExecStart={command}
Restart=always
RestartSec=5
TimeoutStopSec={GRACE}
NoNewPrivileges=true
PrivateTmp=true
ProtectSystem=full

[Install]
WantedBy=pipelex.target
"""


def systemd_target(deployment: Deployment) -> str:
    """The target that starts all workers of a machine."""
    wanted = " ".join(
        f"pipelex-{worker.name}@{number}.service"
        for worker in deployment.workers
        for number in range(1, worker.processes + 1)
    )
    return f"""{header(deployment)}[Unit]
Description={deployment.description} of Pipelex
Wants={wanted}

[Install]
WantedBy=multi-user.target
"""


# --- compose ----------------------------------------------------------------------------------------------------------


def compose(deployment: Deployment) -> str:
    """The workers, and a development server for use without a cluster."""
    blocks = [_compose_worker(worker) for worker in deployment.workers]
    return f"""{header(deployment)}# Without a cluster:  docker compose --profile dev-server up --build
# With one:           TEMPORAL_ADDRESS=temporal.example.com:7233 docker compose up --build
# More of a kind:     docker compose up --scale {deployment.workers[-1].name}=3
name: pipelex-{deployment.name}

x-worker: &worker
  build: {{ context: ../.., dockerfile: deploy/Dockerfile }}
  image: {IMAGE}
  restart: unless-stopped
  stop_grace_period: {GRACE}s
  volumes:
    - ./.pipelex:/srv/pipelex/.pipelex:ro
    - storage:/srv/pipelex/storage
  healthcheck:
    test: [CMD, python, -c, "import urllib.request as r; r.urlopen('http://127.0.0.1:{HEALTH_PORT}/readyz', timeout=2)"]
    interval: 10s
    start_period: 30s

services:
  temporal:
    profiles: [dev-server]
    image: ${{TEMPORAL_IMAGE:-temporalio/temporal:1.9.1}}
    command: [server, start-dev, --ip, 0.0.0.0, --db-filename, /data/temporal.db]
    user: root
    ports: ["7233:7233", "8233:8233"]
    volumes: [temporal:/data]

{"".join(blocks)}
volumes:
  storage:
  temporal:
"""


def _compose_worker(worker: WorkerSpec) -> str:
    secrets = "".join(f"\n      {secret}: ${{{secret}:-}}" for secret in worker.secrets)
    command = json.dumps([*worker.arguments, "--health-port", str(HEALTH_PORT)])
    return f"""  {worker.name}:
    <<: *worker
    command: {command}
    deploy: {{ replicas: {worker.processes} }}
    environment:
      PIPELEX_ENV: ${{PIPELEX_ENV:-compose}}
      TEMPORAL_ADDRESS: ${{TEMPORAL_ADDRESS:-temporal:7233}}
      TEMPORAL_NAMESPACE: ${{TEMPORAL_NAMESPACE:-default}}
      TEMPORAL_API_KEY: ${{TEMPORAL_API_KEY:-}}{secrets}

"""


# --- Kubernetes -------------------------------------------------------------------------------------------------------


def kubernetes(deployment: Deployment) -> Iterator[str]:
    """One Deployment for each kind of worker, so that each can be scaled separately."""
    for index, worker in enumerate(deployment.workers):
        yield (header(deployment) if index == 0 else "") + _kubernetes_worker(worker)


def _kubernetes_worker(worker: WorkerSpec) -> str:
    secret = f"\n            - secretRef: {{ name: pipelex-{worker.name} }}" if worker.secrets else ""
    return f"""apiVersion: apps/v1
kind: Deployment
metadata:
  name: pipelex-{worker.name}
  labels: {{ app.kubernetes.io/name: pipelex, app.kubernetes.io/component: {worker.name} }}
spec:
  replicas: {worker.processes}
  selector:
    matchLabels: {{ app.kubernetes.io/name: pipelex, app.kubernetes.io/component: {worker.name} }}
  template:
    metadata:
      labels: {{ app.kubernetes.io/name: pipelex, app.kubernetes.io/component: {worker.name} }}
    spec:
      terminationGracePeriodSeconds: {GRACE}
      securityContext: {{ runAsNonRoot: true, runAsUser: 10001 }}
      containers:
        - name: worker
          image: {IMAGE}
          args: {json.dumps([*worker.arguments, "--health-port", str(HEALTH_PORT)])}
          env:
            - {{ name: PIPELEX_ENV, value: cluster }}
          envFrom:
            - secretRef: {{ name: pipelex-temporal }}{secret}
          startupProbe:
            httpGet: {{ path: /readyz, port: {HEALTH_PORT} }}
            failureThreshold: 30
            periodSeconds: 2
          readinessProbe:
            httpGet: {{ path: /readyz, port: {HEALTH_PORT} }}
          livenessProbe:
            httpGet: {{ path: /healthz, port: {HEALTH_PORT} }}
            timeoutSeconds: 5
            failureThreshold: 6
          resources:
            requests: {{ cpu: 250m, memory: 256Mi }}
          volumeMounts:
            - {{ name: settings, mountPath: /srv/pipelex/.pipelex }}
      volumes:
        - name: settings
          configMap: {{ name: pipelex-settings }}
"""


def kustomization(deployment: Deployment) -> str:
    """Settings become a ConfigMap whose name changes with its content, so that a change restarts the workers."""
    made = "\n".join(
        f"#   kubectl create secret generic pipelex-{worker.name} "
        + " ".join(f"--from-literal={secret}=…" for secret in worker.secrets)
        for worker in deployment.workers
        if worker.secrets
    )
    return f"""{header(deployment)}# Once:
#   kubectl create secret generic pipelex-temporal --from-literal=TEMPORAL_ADDRESS=… --from-literal=PIPELEX_S3_BUCKET=…
{made}
# Then:
#   kubectl apply -k .
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [kubernetes/workers.yaml]
configMapGenerator:
  - name: pipelex-settings
    files: [.pipelex/pipelex.toml, .pipelex/pipelex_cluster.toml]
images:
  - {{ name: pipelex-worker, newName: pipelex-worker, newTag: {VERSION} }}
"""


def main() -> None:
    """Write the files of every deployment."""
    for name in NAMES:
        folder = HERE / name
        for path, text in files(Deployment.read(folder)).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

"""What Mistral's SDK reads from the environment when it is imported, as our settings say it.

The SDK has no other way to be configured. What an operator set there wins.
"""

import os
import socket
from collections.abc import Mapping

from pipelex.config import Settings
from pipelex.mistral_workflows.config import MistralWorkflowsConfig, api_key


def sdk_environment(settings: Settings, config: MistralWorkflowsConfig, *, health_port: int) -> Mapping[str, str]:
    """The variables of the SDK.

    Args:
        settings: the configuration.
        config: its `[mistral_workflows]` tables.
        health_port: where the SDK answers once its workers run.

    Raises:
        ConfigurationError: there is no key.
    """
    known = {
        "SERVER_URL": config.server_url,
        "MISTRAL_API_KEY": api_key(config, settings),
        "DEPLOYMENT_NAME": config.deployment_name,
        "MAX_CONCURRENT_ACTIVITIES": str(config.worker_config.max_concurrent_activities),
        "HEALTH_SERVER_HOST": "127.0.0.1",
        "HEALTH_SERVER_PORT": str(health_port),
        "LOG_LEVEL": "WARNING",
        # Spans are sent where Pipelex's own settings say; the SDK would send its own to Mistral.
        "OTEL_ENABLED": "false",
    }
    return known | ({"BUILD_ID": config.build_id} if config.build_id else {})


def prepare(settings: Settings, config: MistralWorkflowsConfig) -> int:
    """Set the variables of the SDK that nobody set; before it is imported.

    Returns:
        The port where the SDK answers once its workers run.
    """
    for name, value in sdk_environment(settings, config, health_port=_free_port()).items():
        if config_wins(name):
            os.environ[name] = value
        else:
            os.environ.setdefault(name, value)
    return int(os.environ["HEALTH_SERVER_PORT"])


def config_wins(name: str) -> bool:
    """Whether a variable tells what Pipelex must know, too, so that its own settings count."""
    return name in ("SERVER_URL", "MISTRAL_API_KEY", "DEPLOYMENT_NAME")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]

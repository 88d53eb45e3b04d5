"""The environment variables that configure Mistral's SDK, made from the settings.

The SDK reads them when it is imported. A variable that an operator has set wins, unless Pipelex itself uses the value.
"""

import os
import socket
from collections.abc import Mapping

from pipelex.config import Settings
from pipelex.mistral_workflows.config import MistralWorkflowsConfig, api_key


def sdk_environment(settings: Settings, config: MistralWorkflowsConfig, *, health_port: int) -> Mapping[str, str]:
    """The SDK's environment variables, by name.

    Args:
        settings: the configuration.
        config: its `[mistral_workflows]` tables.
        health_port: the port on which the SDK answers once its workers run.

    Raises:
        ConfigurationError: there is no API key.
    """
    known = {
        "SERVER_URL": config.server_url,
        "MISTRAL_API_KEY": api_key(config, settings),
        "DEPLOYMENT_NAME": config.deployment_name,
        "MAX_CONCURRENT_ACTIVITIES": str(config.worker_config.max_concurrent_activities),
        "HEALTH_SERVER_HOST": "127.0.0.1",
        "HEALTH_SERVER_PORT": str(health_port),
        "LOG_LEVEL": "WARNING",
        # Pipelex's own settings decide where spans are sent; the SDK would send its own to Mistral.
        "OTEL_ENABLED": "false",
    }
    return known | ({"BUILD_ID": config.build_id} if config.build_id else {})


def prepare(settings: Settings, config: MistralWorkflowsConfig) -> int:
    """Set the SDK's environment variables, before the SDK is imported.

    A variable that is already set is only replaced if `config_wins`.

    Returns:
        The port on which the SDK answers once its workers run.
    """
    for name, value in sdk_environment(settings, config, health_port=_free_port()).items():
        if config_wins(name):
            os.environ[name] = value
        else:
            os.environ.setdefault(name, value)
    return int(os.environ["HEALTH_SERVER_PORT"])


def config_wins(name: str) -> bool:
    """Whether Pipelex's settings override a variable, because Pipelex itself uses the same value."""
    return name in ("SERVER_URL", "MISTRAL_API_KEY", "DEPLOYMENT_NAME")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]

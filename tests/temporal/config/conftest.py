from pathlib import Path

import pytest

from pipelex.temporal.config import TemporalConfig, parse_temporal_config
from tests.support.settings_files import Loader


@pytest.fixture
def load(tmp_path: Path) -> Loader:
    return Loader(tmp_path)


@pytest.fixture
def operator_text() -> str:
    """A realistic file with every table."""
    return (Path(__file__).parent / "operator.toml").read_text(encoding="utf-8")


@pytest.fixture
def operator(load: Loader, operator_text: str) -> TemporalConfig:
    return parse_temporal_config(load(operator_text, environ={"TEMPORAL_CLOUD_NAMESPACE": "ns.a1"}))

from pathlib import Path

import pytest

from pipelex.config import load_settings
from pipelex.storage import Storage


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """A store in a folder of the test's own."""
    settings = load_settings(cwd=tmp_path, environ={"HOME": str(tmp_path)})
    return Storage.open(settings.runtime.storage, tmp_path)

"""The Python of `docs/inputs.md`, executed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_program_runs() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/inputs.md").read_text(encoding="utf-8"), re.DOTALL)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "['lighthouse.ChapterNote', 'lighthouse.ChapterNote']\n"), done.stderr

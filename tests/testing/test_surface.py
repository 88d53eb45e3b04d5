import subprocess
import sys

import pytest

import pipelex.testing


def test_the_names_are_listed_before_they_are_loaded() -> None:
    assert dir(pipelex.testing) == pipelex.testing.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = pipelex.testing.nothing_like_it  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("pipelex.testing", ("pydantic", "pytest", "httpx", "temporalio")),
        ("pipelex.testing.pytest_plugin", ("pydantic_ai", "openai", "httpx", "temporalio")),
    ],
)
def test_importing_loads_nothing_heavy(module: str, forbidden: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print([name for name in sys.modules if name.split('.')[0] in {forbidden!r}])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"

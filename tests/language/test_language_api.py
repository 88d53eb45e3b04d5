import subprocess
import sys

import pytest

import pipelex.language
from pipelex.language import blueprints, templates


def test_public_names() -> None:
    assert {"parse_bundle", "ParsedBundle", "Reference", "Slot"} <= set(pipelex.language.__all__)
    for module in (pipelex.language, blueprints, templates):
        assert all(hasattr(module, name) for name in module.__all__)


def test_every_pipe_type_has_a_blueprint_that_says_so() -> None:
    for name, model in blueprints.PIPE_TYPES.items():
        assert model.__name__ == f"{name}Blueprint"
        assert model.model_fields["type"].is_required()
    assert len(blueprints.PIPE_TYPES) == 13


@pytest.mark.slow
def test_reading_a_sound_file_without_templates_needs_no_heavy_library() -> None:
    program = (
        "import sys; from pipelex.language import parse_bundle; "
        'bundle = parse_bundle(\'domain = "x"\\n[concept]\\nA = "d"\'); '
        "assert not bundle.faults; "
        "print(sorted({'jinja2', 'tree_sitter', 'tree_sitter_toml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""What others wrote is read in time and memory that grow with its size: bundles, settings, manifests, inputs."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from pipelex.config import load_settings
from pipelex.config.files.plain import read_plain
from pipelex.config.files.toml import UnfitToml, read_toml
from pipelex.errors import ConfigurationError, PipelexError
from pipelex.language import parse_bundle
from pipelex.library import load_library, load_library_files

SIZE = 60_000
SECONDS = 120
"""The time-out of a process that reads all of them; with anything quadratic it would take hours."""
PIPE = 'type = "PipeLLM"\ndescription = "d"\noutput = "Text"\nprompt = "x"\n'


def repeated(text: str) -> Callable[[int], str]:
    return lambda size: text * (size // len(text))


def numbered(text: str, before: str = "", after: str = "") -> Callable[[int], str]:
    """A text with its number in it, until the size is reached."""
    return lambda size: before + "".join(text.replace("#", str(number)) for number in range(size // len(text))) + after


def value(text: str, after: str = "\n") -> Callable[[int], str]:
    return lambda size: "a = " + text * (size // len(text)) + after


TEXTS: dict[str, Callable[[int], str]] = {
    "unknown tables": numbered("[t#]\na = 1\n"),
    "tables of tables": numbered("[t#.a.b.c]\na = 1\n"),
    "a table again": repeated("[a]\n"),
    "a key again": repeated("a = 1\n"),
    "an inline key again": lambda size: "a = {" + "b = 1," * (size // 6) + "}\n",
    "unknown keys": numbered("k# = 1\n"),
    "dotted keys": numbered("a.b# = 1\n"),
    "a dotted key": lambda size: "a" + ".a" * (size // 2) + " = 1\n",
    "a dotted inline key": lambda size: "a = { a" + ".a" * (size // 2) + " = 1 }\n",
    "a dotted table": lambda size: "[a" + ".a" * (size // 2) + "]\n",
    "deeper tables": lambda size: "".join("[" + ".".join("a" * n) + "]\n" for n in range(1, int(size**0.5))),
    "arrays of tables": repeated("[[a]]\n"),
    "open arrays": value("[", ""),
    "nested arrays": lambda size: "a = " + "[" * (size // 2) + "]" * (size // 2) + "\n",
    "nested inline tables": value("{ a = ", ""),
    "an array": lambda size: "a = [" + "1," * (size // 2) + "]\n",
    "an array of nothing": lambda size: "a = [" + "[]," * (size // 3) + "]\n",
    "a text": lambda size: 'a = "' + "x" * size + '"\n',
    "a text of lines": lambda size: 'a = """' + "x\n" * (size // 2) + '"""\n',
    "an open text": lambda size: 'a = """' + '""\n' * (size // 3),
    "escapes": lambda size: 'a = "' + "\\n" * (size // 2) + '"\n',
    "wrong escapes": lambda size: 'a = "' + "\\q" * (size // 2) + '"\n',
    "halves of characters": lambda size: 'a = "' + "\\ud800" * (size // 6) + '"\n',
    "a number": value("9"),
    "an exponent": lambda size: "a = 1e" + "9" * size + "\n",
    "a number with marks": value("1_"),
    "spaces": value(" "),
    "comments": repeated("# x\n"),
    "equal signs": repeated("="),
    "quotes": repeated('"'),
    "pipes": numbered(f"[pipe.p#]\n{PIPE}"),
    "pipes of no type": numbered('[pipe.p#]\ntype = "X"\n'),
    "keys of a pipe": numbered("kk# = 1\n", f"[pipe.p]\n{PIPE}"),
    "concepts": numbered('C# = "x"\n', "[concept]\n"),
    "inputs": numbered('abcdef# = "Text",', f"[pipe.p]\n{PIPE}inputs = {{", "}\n"),
    "names that are near": lambda size: (
        '[pipe.p]\ntype = "PipeLLM"\ndescription = "d"\noutput = "Text"\ninputs = {'
        + "".join(f'abcdef{n} = "Text",' for n in range(size // 40))
        + "}\nprompt = '"
        + " ".join(f"$abcdefx{n}" for n in range(size // 24))
        + "'\n"
    ),
    "concepts that are near": lambda size: (
        "[concept]\n"
        + "".join(f'Abcdef{n} = "x"\n' for n in range(size // 40))
        + "".join(f"[pipe.p{n}]\n{PIPE.replace('Text', f'Abcdefx{n}')}" for n in range(size // 140))
    ),
    "steps that are near": lambda size: (
        "".join(f"[pipe.abcdef{n}]\n{PIPE}" for n in range(size // 140))
        + '[pipe.p]\ntype = "PipeSequence"\ndescription = "d"\noutput = "Text"\nsteps = ['
        + ",".join(f'{{ pipe = "abcdefx{n}" }}' for n in range(size // 40))
        + "]\n"
    ),
    **{
        f"a prompt of {part}": lambda size, part=part: (
            '[pipe.p]\ntype = "PipeLLM"\ndescription = "d"\noutput = "Text"\nprompt = """\n'
            + part * (size // len(part))
            + '\n"""\n'
        )
        for part in (
            "$a ",
            "@a\n",
            "{{",
            "{{ a }}",
            "{% if a %}",
            "{{ (((",
            "a|",
            "$",
            "${",
            "@?a\n",
            "{# ",
            "{%- for a in a %}",
        )
    },
}


def read_all() -> None:
    """Read every text as whatever a stranger's folder may have it be."""
    folder = Path.cwd()
    for name, text_of in TEXTS.items():
        text = text_of(SIZE)
        print(name, flush=True)
        parse_bundle(text.encode())
        with suppress(PipelexError):
            load_library_files({"x.mthds": f'domain = "d"\n{text}', "METHODS.toml": text})
        for place in (".pipelex/pipelex.toml", ".pipelex/inference/backends.toml", ".env"):
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_text(text, encoding="utf-8")
            with suppress(ConfigurationError):
                load_settings(cwd=folder, environ={"HOME": str(folder / "home")})
            (folder / place).unlink()


@pytest.mark.slow
@pytest.mark.timeout(SECONDS * 4)
def test_what_is_large_is_read_in_time(tmp_path: Path) -> None:
    read = "from tests.language.test_hostile_sizes import read_all; read_all()"
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", read], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=SECONDS * 3
    )
    assert done.returncode == 0, (done.stdout[-500:], done.stderr[-3000:])


@pytest.mark.parametrize("name", TEXTS)
def test_a_small_one_gets_no_more_faults_than_it_has_lines(name: str) -> None:
    text = TEXTS[name](3_000)
    faults = parse_bundle(text.encode()).faults
    assert len(faults) <= 3_000
    for fault in faults:
        assert len(fault.detail) < 1_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100 + "a", None),
        ("a = " + "[" * 50_000, "nested too deeply"),
        ("a = " + "[" * 60 + "]" * 60, "nested more than 40 deep"),
        ("a" + ".a" * 30 + " = 1", "more than 16 parts"),
        ("x = 1\nb = { a" + ".a" * 30 + " = 1 }", "at line 2"),
        ("".join(f"a{n}.b.c.d.e.f.g.h.i = 1\n" for n in range(6_000)), "keys of more than 8 parts"),
        ("a = " + "9" * 10_000, "too many digits"),
        ("a = 1\n" * 1_000_000, "characters"),
    ],
)
def test_toml_that_costs_too_much_is_refused(text: str, said: str | None) -> None:
    with pytest.raises(ValueError, match=said or "initial character") as refused:
        read_toml(text)
    assert isinstance(refused.value, UnfitToml) == (said is not None)


def test_a_text_that_only_looks_like_a_long_key_is_read() -> None:
    text = "a" + ".a" * 30
    assert read_toml(f'x = """\n{text} = 1\n{{ {text}\n"""') == {"x": f"{text} = 1\n{{ {text}\n"}


def endless(folder: Path) -> list[Path]:
    """Files that never end, or are no files."""
    os.mkfifo(folder / "pipe.toml")
    (folder / "zero.toml").symlink_to("/dev/zero")
    (folder / "tty.toml").symlink_to("/dev/tty")
    (folder / "folder.toml").mkdir()
    (folder / "large.toml").write_bytes(b"#" * 5_000_000)
    return [path for path in folder.iterdir() if path.suffix == ".toml"]


def test_devices_pipes_and_large_files_are_not_read(tmp_path: Path) -> None:
    for path in endless(tmp_path):
        with pytest.raises(OSError, match=r"device|director|bytes|Errno"):
            read_plain(path)


@pytest.mark.parametrize(
    "place",
    [".pipelex/pipelex.toml", ".pipelex/inference/backends.toml", ".pipelex/inference/backends/openai.toml", ".env"],
)
def test_a_folder_cannot_hold_up_who_reads_its_settings(tmp_path: Path, place: str) -> None:
    file = tmp_path / "project" / place
    file.parent.mkdir(parents=True)
    for target in endless(tmp_path):
        file.symlink_to(target)
        with suppress(ConfigurationError):
            load_settings(cwd=tmp_path / "project", environ={"HOME": str(tmp_path / "home")})
        file.unlink()


@pytest.mark.parametrize("name", ["x.mthds", "METHODS.toml", ".gitignore", "other.mthds"])
def test_a_folder_cannot_hold_up_who_loads_its_methods(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "method"
    folder.mkdir()
    for target in endless(tmp_path):
        (folder / "good.mthds").write_text(f'domain = "d"\n[pipe.p]\n{PIPE}', encoding="utf-8")
        (folder / name).symlink_to(target)
        with suppress(PipelexError):
            load_library([folder])
        (folder / name).unlink()

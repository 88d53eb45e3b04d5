"""Where things are on a machine is left out of what callers elsewhere are told."""

import sys
from pathlib import Path

import pytest

from pipelex.errors import ErrorReport, Fault, Location
from pipelex.errors.folders import hide_folders, without_folders


@pytest.fixture
def spaced(tmp_path: Path) -> Path:
    """A folder with a space in its name, which has been made known."""
    folder = tmp_path / "methods of the harbour"
    folder.mkdir()
    hide_folders([folder])
    return folder


@pytest.mark.matrix(fast=5)
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cannot read /usr/lib/python3/site-packages/x.py, line 3", "cannot read …/x.py, line 3"),
        ('File "/usr/lib/x.py", line 3', 'File "…/x.py", line 3'),
        ("[Errno 2] No such file: '/tmp/pipelex-ab12/main.tex'", "[Errno 2] No such file: '…/main.tex'"),
        ("see file:///usr/share/a.txt.", "see file://…/a.txt."),
        ("PATH=/usr/bin:/usr/sbin", "PATH=…/bin:…/sbin"),
        ("the folder /usr/", "the folder …/usr"),
        (r"C:\Users\me\app\x.py is not there", "…/x.py is not there"),
        ("POST https://api.example/usr/v1/tmp/x", "POST https://api.example/usr/v1/tmp/x"),
        ("404 of /v1/chat/completions", "404 of /v1/chat/completions"),
        ("a/usr/b and ./usr/b and ../tmp/x", "a/usr/b and ./usr/b and ../tmp/x"),
        ("/usrlocal/x, and/or", "/usrlocal/x, and/or"),
        ("pipelex-storage://ab/usr/x.bin", "pipelex-storage://ab/usr/x.bin"),
        ("image/png, 1/2, /", "image/png, 1/2, /"),
    ],
)
def test_a_path_is_told_by_the_name_of_its_file(spaced: Path, text: str, told: str) -> None:
    assert without_folders(text) == told
    assert without_folders(told) == told


def test_folders_that_are_known_may_have_spaces(spaced: Path) -> None:
    told = without_folders(f"'{spaced}/my tree/a b.py' in {spaced} ({spaced.parent}), by {sys.prefix}/bin/python")
    assert str(spaced.parent) not in told
    assert sys.prefix not in told
    assert "a b.py" in told


def test_a_long_text_is_read_once(spaced: Path) -> None:
    assert without_folders("/tmp" * 500_000).startswith("…")
    assert without_folders("/" * 1_000_000) == "/" * 1_000_000
    assert without_folders("…/" * 300_000).startswith("…")


def test_no_part_of_a_report_names_a_folder(spaced: Path) -> None:
    place = f"{spaced}/x.mthds"
    report = ErrorReport(
        "method.invalid",
        f"in {place}",
        advice=f"open {place}",
        params={"a": [{"b": place}]},
        location=Location(file=place),
        faults=(Fault("method.invalid", place, Location(file=place), params={"c": place}),),
    )
    told = report.without_folders()
    for written in (told.to_json(), told.to_problem()):
        assert str(spaced) not in str(written)
        assert "x.mthds" in str(written)
    assert report.detail == f"in {place}", "logs of this machine say where"

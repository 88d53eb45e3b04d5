import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelex.config.own_files import write_own_file


@pytest.fixture(autouse=True)
def usual_mask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("in_place", [False, True])
def test_a_new_file_is_its_users_alone(tmp_path: Path, in_place: bool) -> None:
    file = tmp_path / "own.bin"
    write_own_file(file, b"secret", in_place=in_place)
    assert (file.read_bytes(), mode(file), os.listdir(tmp_path)) == (b"secret", 0o600, ["own.bin"])


def test_a_file_that_others_could_read_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "own.bin"
    file.write_bytes(b"before, and longer")
    file.chmod(0o644)
    write_own_file(file, b"after")
    assert (file.read_bytes(), mode(file)) == (b"after", 0o600)


def test_what_cannot_be_replaced_stays_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "taken" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="taken"):
        write_own_file(tmp_path / "taken", b"data")
    assert os.listdir(tmp_path) == ["taken"]


def test_what_is_no_plain_file_is_written_in_place() -> None:
    write_own_file(Path(os.devnull), b"gone", in_place=True)
    assert not Path(os.devnull).is_file()

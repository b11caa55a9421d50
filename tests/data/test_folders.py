"""Folders that appear complete or not at all."""

import os
import socket
import subprocess
import sys

import pytest

from speechgen.data.folders import new_folder
from speechgen.errors import UserError


def test_the_folder_appears_when_the_block_ends(tmp_path):
    with new_folder(tmp_path / "deep" / "new") as folder:
        (folder / "a").write_text("1")
        assert not (tmp_path / "deep" / "new").exists()
    assert (tmp_path / "deep" / "new" / "a").read_text() == "1"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["new"]


def test_an_error_leaves_the_older_folder_and_nothing_else(tmp_path):
    with new_folder(tmp_path / "new") as folder:
        (folder / "a").write_text("old")
    with pytest.raises(ValueError), new_folder(tmp_path / "new") as folder:
        (folder / "a").write_text("half")
        raise ValueError
    assert (tmp_path / "new" / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_what_a_killed_process_left_is_removed_and_a_running_ones_is_not(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / f".new.{socket.gethostname()}-{ended.pid}.part").mkdir()
    (tmp_path / f".new.{socket.gethostname()}-{os.getppid()}.part").mkdir()
    with new_folder(tmp_path / "new"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f".new.{socket.gethostname()}-{os.getppid()}.part",
        "new",
    ]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file/new: cannot be written"), new_folder(tmp_path / "file" / "new"):
        pass

# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Every file under some inputs is listed once, or is reported."""

from __future__ import annotations

import os
import socket
import struct
import zipfile
from pathlib import Path

import pytest

from monai_compress.batch.tree import list_tree, mode_allowed_by_folder
from monai_compress.errors import InputError


def paths(*inputs: Path) -> list[str]:
    return [entry.path for entry in list_tree(inputs).entries]


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_files_and_empty_folders_of_one_folder_are_relative_to_it(tmp_path):
    write(tmp_path / "in" / "b" / "2")
    write(tmp_path / "in" / "b.txt")
    (tmp_path / "in" / "a" / "e").mkdir(parents=True)
    assert paths(tmp_path / "in") == ["a/e/", "b.txt", "b/2"]
    assert list_tree([tmp_path / "in"]).skipped == []


def test_a_file_is_called_by_its_name_and_several_inputs_by_theirs(tmp_path):
    file, folder = write(tmp_path / "one" / "f.dcm"), write(tmp_path / "two" / "g").parent
    assert paths(file) == ["f.dcm"]
    assert paths(file, folder) == ["f.dcm", "two/g"]
    with pytest.raises(InputError, match="two inputs are called g"):
        list_tree([folder / "g", write(tmp_path / "three" / "g")])


def test_the_working_folder_has_its_own_name(tmp_path, monkeypatch):
    write(tmp_path / "w" / "f")
    monkeypatch.chdir(tmp_path / "w")
    assert paths(Path(), write(tmp_path / "g")) == ["g", "w/f"]


def test_what_is_not_there_is_an_error(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        list_tree([tmp_path / "absent"])


def test_links_are_followed_after_real_folders_and_once(tmp_path):
    root = tmp_path / "in"
    write(root / "real" / "f")
    (root / "a_link").symlink_to(root / "real")
    (root / "real" / "loop").symlink_to(root)
    write(tmp_path / "outside" / "g")
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "file_link").symlink_to(root / "real" / "f")
    tree = list_tree([root])
    assert [entry.path for entry in tree.entries] == ["file_link", "out/g", "real/f"]
    assert tree.remarks == ["2 links to folders that are packed elsewhere: their files are packed once"]
    assert tree.skipped == []


def test_a_real_folder_is_never_left_out_for_a_link(tmp_path):
    write(tmp_path / "A" / "g")
    write(tmp_path / "B" / "f")
    (tmp_path / "A" / "link").symlink_to(tmp_path / "B")
    (tmp_path / "A" / "up").symlink_to(tmp_path)
    write(tmp_path / "h")
    tree = list_tree([tmp_path / "A", tmp_path / "B"])
    assert [entry.path for entry in tree.entries] == ["A/g", "A/up/h", "B/f"]
    assert tree.remarks == ["3 links to folders that are packed elsewhere: their files are packed once"]


def test_a_folder_that_two_inputs_hold_comes_twice(tmp_path):
    write(tmp_path / "A" / "B" / "f")
    tree = list_tree([tmp_path / "A", tmp_path / "A" / "B"])
    assert [entry.path for entry in tree.entries] == ["A/B/f", "B/f"]
    assert tree.remarks == []


def test_what_cannot_be_kept_is_reported(tmp_path):
    root = tmp_path / "in"
    write(root / "f")
    (root / "broken").symlink_to(root / "absent")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(root / "s"))
        tree = list_tree([root])
    assert [entry.path for entry in tree.entries] == ["f"]
    assert {Path(skipped.locator).name: skipped.reason for skipped in tree.skipped} == {
        "broken": "broken link",
        "pipe": "device, pipe or socket",
        "s": "device, pipe or socket",
    }


def test_of_a_zip_input_the_members_and_of_a_zip_in_a_folder_the_file(tmp_path):
    (tmp_path / "in").mkdir()
    archive = tmp_path / "in" / "day.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("a/1", "one")
        made.writestr("2", "two")
        made.mkdir("e")
        made.mkdir("a")
        made.writestr("../evil", "x")
        made.writestr("/evil", "x")
    tree = list_tree([archive])
    assert [(entry.path, entry.size) for entry in tree.entries] == [("2", 3), ("a/1", 3), ("e/", 0)]
    assert tree.entries[1].locator == f"{archive}!/a/1"
    assert [skipped.reason for skipped in tree.skipped] == ["unsafe name"] * 2
    assert paths(archive, write(tmp_path / "f")) == ["day/2", "day/a/1", "day/e/", "f"]
    tree = list_tree([tmp_path / "in"])
    assert [entry.path for entry in tree.entries] == ["day.zip"]
    assert "1 zip archives inside folders are packed as files" in tree.remarks[0]


def test_a_name_that_a_zip_holds_twice_is_reported(tmp_path):
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as made:
        made.writestr("a", "old")
        with pytest.warns(UserWarning, match="Duplicate"):
            made.writestr("a", "newer")
    tree = list_tree([tmp_path / "z.zip"])
    assert [entry.size for entry in tree.entries] == [5]
    assert [skipped.reason for skipped in tree.skipped] == ["name twice in the zip"]


def test_a_zip_member_named_like_a_folder_is_no_empty_folder(tmp_path):
    with zipfile.ZipFile(tmp_path / "made.zip", "w") as made:
        made.writestr("data|", "precious")
        made.writestr("data|x", "y")
    (tmp_path / "z.zip").write_bytes((tmp_path / "made.zip").read_bytes().replace(b"data|", b"data/"))
    tree = list_tree([tmp_path / "z.zip"])
    assert [entry.path for entry in tree.entries] == ["data/x"]
    assert [(Path(skipped.locator).name, skipped.reason) for skipped in tree.skipped] == [("data", "unsafe name")]


def test_a_zip_member_is_not_read_from_a_real_file_of_its_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as made:
        made.writestr("f", "member")
        made.writestr("g", "member")
    write(tmp_path / "z.zip!" / "f", "real")
    tree = list_tree([tmp_path / "z.zip"])
    assert [entry.path for entry in tree.entries] == ["g"]
    assert [skipped.reason for skipped in tree.skipped] == ["name of another file"]


def test_a_folder_and_a_zip_may_not_are_restored_in_one(tmp_path):
    write(tmp_path / "study" / "r")
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as made:
        made.writestr("r", "other")
    with pytest.raises(InputError, match="two inputs are called study") as caught:
        list_tree([tmp_path / "study", tmp_path / "study.zip"])
    assert caught.value.reason == "name twice"
    write(tmp_path / "study.zip", "no zip")
    assert paths(tmp_path / "study", tmp_path / "study.zip") == ["study.zip", "study/r"]


def test_a_zip_input_without_an_end_is_a_file(tmp_path):
    assert paths(write(tmp_path / "z.zip", "no zip")) == ["z.zip"]


def test_a_zip_input_whose_list_is_damaged_is_an_error(tmp_path):
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as made:
        made.writestr("r", "text")
    data = (tmp_path / "z.zip").read_bytes()
    (tmp_path / "z.zip").write_bytes(data.replace(b"PK\1\2", b"PK\0\2"))
    with pytest.raises(InputError, match="corrupt") as caught:
        list_tree([tmp_path / "z.zip"])
    assert caught.value.reason == "corrupt zip" and caught.value.where == str(tmp_path / "z.zip")


def test_a_zip_input_of_several_volumes_is_an_error(tmp_path):
    on_two_disks = struct.pack("<4sLQL", b"PK\6\7", 1, 0, 2)
    (tmp_path / "z.zip").write_bytes(on_two_disks + b"PK\5\6" + bytes(18))
    with pytest.raises(InputError) as caught:
        list_tree([tmp_path / "z.zip"])
    assert caught.value.reason == "corrupt zip"


def test_odd_names_stay_as_they_are(tmp_path):
    names = ["new\nline", "back\\slash", "#7", "ünï", os.fsdecode(b"bytes\xff"), "scan#7"]
    for name in names:
        write(tmp_path / "in" / name)
    assert paths(tmp_path / "in") == sorted(names)


def test_permissions_of_folders_reach_their_files(tmp_path):
    write(tmp_path / "in" / "private" / "deep" / "f")
    (tmp_path / "in" / "private").chmod(0o710)
    (tmp_path / "in" / "private" / "deep").chmod(0o755)
    (entry,) = list_tree([tmp_path / "in"]).entries
    assert entry.allowed_mode == 0o770
    allowed = [mode_allowed_by_folder(mode) for mode in (0o755, 0o700, 0o744)]
    assert allowed == [0o777, 0o700, 0o700]

# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Who gets into the folders of an output tree."""

from __future__ import annotations

import stat
import zipfile

import pytest

from monai_compress.batch.folders import folder_modes, make_folders
from monai_compress.batch.plan import plan


@pytest.fixture
def study(tmp_path):
    root = tmp_path / "study"
    for folder, mode in (
        ("open", 0o755),
        ("shared/deep", 0o750),
        ("shared", 0o770),
        ("closed", 0o700),
        ("hall", 0o711),
    ):
        place = root / folder
        place.mkdir(parents=True, exist_ok=True)
        (place / "note.txt").write_text("note")
        (place / "note.txt").chmod(0o644)
        place.chmod(mode)
    (root / "open" / "secret").mkdir(mode=0o755)
    (root / "open" / "secret" / "note.txt").write_text("note")
    (root / "open" / "secret" / "note.txt").chmod(0o600)
    root.chmod(0o755)
    return root


def test_a_folder_is_no_wider_than_its_source_and_what_lies_in_it(study):
    modes = {folder: oct(mode) for folder, mode in folder_modes(plan([study]).units).items()}
    assert modes == {
        "": "0o755",
        "open": "0o755",
        "open/secret": "0o700",
        "shared": "0o750",
        "shared/deep": "0o750",
        "closed": "0o700",
        "hall": "0o711",
    }


def test_of_several_inputs_each_has_its_folder(study, tmp_path):
    (tmp_path / "other").mkdir(mode=0o700)
    (tmp_path / "other" / "f").write_text("")
    tmp_path.chmod(0o755)
    modes = folder_modes(plan([study, tmp_path / "other"]).units)
    assert (modes[""], modes["study"], modes["other"], modes["study/closed"]) == (0o755, 0o755, 0o700, 0o700)


def test_of_a_zip_archive_its_own_permissions_count(tmp_path):
    with zipfile.ZipFile(tmp_path / "day.zip", "w") as made:
        made.writestr("a/b/note.txt", "note")
    (tmp_path / "day.zip").chmod(0o640)
    assert folder_modes(plan([tmp_path / "day.zip"]).units) == {"": 0o750, "a": 0o750, "a/b": 0o750}


def test_only_new_folders_are_made(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out").chmod(0o770)
    (tmp_path / "file").write_text("")
    make_folders(tmp_path / "out", {"": 0o700, "a": 0o700, "a/b": 0o711})
    make_folders(tmp_path / "file", {"": 0o700, "a": 0o700})
    found = [stat.S_IMODE((tmp_path / "out" / folder).stat().st_mode) for folder in ("", "a", "a/b")]
    assert found[:2] == [0o770, 0o700] and found[2] & ~0o711 == 0

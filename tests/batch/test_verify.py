# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Whatever is damaged in a stream or an archive is found and named; what is sound is not accused."""

from __future__ import annotations

import numpy as np
import pytest

from monai_compress import api
from monai_compress.archive import ArchiveInfo
from monai_compress.batch.archives import find_archives
from monai_compress.batch.pack import pack
from monai_compress.batch.plan import plan
from monai_compress.batch.verify import verify
from monai_compress.batch.workers import Workers


@pytest.fixture
def out(made_tree, tmp_path):
    pack(plan([made_tree]), tmp_path / "out")
    return tmp_path / "out"


def test_sound_archives_and_streams(out, monkeypatch):
    monkeypatch.setattr("monai_compress.batch.workers.MIN_PARALLEL_BYTES", 0)
    (out / "scan.mcz").write_bytes(api.compress(np.zeros((4, 4), np.int16)))
    _, files = find_archives([out])
    told = []
    with Workers(2) as workers:
        verdicts = list(verify(files, workers=workers, progress=lambda *now: told.append(now)))
    assert [verdict.file for verdict in verdicts] == files and len(files) == 8
    assert not [verdict for verdict in verdicts if verdict.error]
    assert sum(isinstance(verdict.info, ArchiveInfo) for verdict in verdicts) == 7
    assert told[-1][0] == told[-1][1] == sum(file.stat().st_size for file in files)


def test_every_flipped_byte_is_found(out):
    path = out / "a" / "p.npy.mcz"
    whole = path.read_bytes()
    for place in range(0, len(whole), max(len(whole) // 40, 1)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        (verdict,) = verify([path])
        assert verdict.error and verdict.message, place
    path.write_bytes(whole)
    (verdict,) = verify([path])
    assert not verdict.error


def test_a_damaged_file_is_named(out):
    path = next((out / "a" / "ct").iterdir())
    whole = path.read_bytes()
    path.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
    (verdict,) = verify([path])
    assert verdict.error == "CorruptStream"
    assert {name for name, _ in verdict.damaged} <= {f"a/ct/slice_000{number}.dcm" for number in (1, 2, 3)}
    assert verdict.damaged
    assert all(str(path) not in why for _, why in verdict.damaged)


def test_what_is_not_an_archive(tmp_path):
    (tmp_path / "x.mcz").write_bytes(b"junk")
    found = list(verify([tmp_path / "x.mcz", tmp_path / "absent.mcz"]))
    assert [verdict.error for verdict in found] == ["CorruptStream", "InputError"]

# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What packing would make is near what it makes."""

from __future__ import annotations

from monai_compress.archive import ArchiveSettings
from monai_compress.batch import estimate as estimating
from monai_compress.batch.estimate import estimate
from monai_compress.batch.pack import pack
from monai_compress.batch.plan import plan


def test_near_what_packing_makes(made_tree, tmp_path):
    units, told = plan([made_tree]).units, []
    found = estimate(units, ArchiveSettings(), lambda *now: told.append(now))
    report = pack(plan([made_tree]), tmp_path)
    assert sum(kind.files for kind in found) == report.files == 13
    assert sum(kind.bytes_in for kind in found) == report.bytes_in
    assert 0.7 < sum(kind.bytes_out or 0 for kind in found) / report.bytes_out < 1.3
    assert {(kind.how, kind.why) for kind in found} == set(report.methods)
    assert all(kind.seconds > 0 for kind in found if kind.bytes_in)
    assert told[-1][0] == told[-1][1] > 4


def test_what_is_too_large_for_a_sample_is_unknown(made_tree, monkeypatch):
    monkeypatch.setattr(estimating, "SAMPLE_BYTES", 100)
    found = {kind.how: kind for kind in estimate(plan([made_tree / "a" / "ct"]).units, ArchiveSettings())}
    assert found["codec"].bytes_out is None and found["codec"].bytes_in > 0

# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Damage in any part of an archive affects only the files that need that part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monai_compress.archive import SeriesArchive
from monai_compress.bitstream.sections import SECTION_HEAD_BYTES
from monai_compress.errors import CorruptStream, TruncatedStream


def damage_section(path: Path, tag: str, number: int = 0) -> bytes:
    """The archive with a damaged byte in the middle of the payload of a section."""
    data = bytearray(path.read_bytes())
    with SeriesArchive(path) as archive:
        section = archive._layout.find_all(tag)[number].section
    data[section.offset + SECTION_HEAD_BYTES + section.length // 2] ^= 1
    return bytes(data)


def restored_files(data: bytes, root: Path) -> tuple[set[str], dict[str, str]]:
    """The files that are restored as they were, and the words about those that are not."""
    good, bad = set(), {}
    with SeriesArchive(data) as archive:
        with pytest.raises(CorruptStream):
            archive.check_frame()
        for entry in archive.files:
            try:
                archive.check(entry)
            except CorruptStream as error:
                bad[entry.path] = str(error)
                continue
            assert b"".join(archive.read(entry)) == (
                b"" if entry.path.endswith("/") else (root / entry.path).read_bytes()
            )
            good.add(entry.path)
    return good, bad


def test_a_damaged_stream_affects_only_its_files(packed) -> None:
    root, path = packed
    good, bad = restored_files(damage_section(path, "STRM", 0), root)
    assert set(bad) == {file.relative_to(root).as_posix() for file in (root / "a").iterdir()}
    assert len(good) + len(bad) == 23
    assert all("slices 0 to 4" in words for words in bad.values())


def test_a_damaged_block_affects_only_its_files(packed) -> None:
    root, path = packed
    with SeriesArchive(path) as archive:
        counts = {tag: len(archive._layout.find_all(tag)) for tag in ("HEAD", "DATA", "FILE")}
    assert counts["HEAD"] > 1
    assert counts["DATA"] > 1
    for tag in ("HEAD", "DATA"):
        for number in range(counts[tag]):
            good, bad = restored_files(damage_section(path, tag, number), root)
            assert len(good) + len(bad) == 23
            assert 0 < len(bad) < (2 if tag == "DATA" else 22)


def test_a_damaged_part_of_the_list_affects_only_its_files(tmp_path, pack) -> None:
    root = tmp_path / "in"
    for number in range(600):
        (root / ("n" * 150)).mkdir(parents=True, exist_ok=True)
        (root / ("n" * 150) / f"{number:03} {'m' * 200}").write_text(f"{number}")
    pack(root, tmp_path / "x.mcz")
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        count = len(archive._layout.find_all("FILE"))
    assert count > 1
    seen = set()
    for number in range(count):
        good, bad = restored_files(damage_section(tmp_path / "x.mcz", "FILE", number), root)
        assert not bad
        assert 0 < len(good) < 600
        seen |= good
    assert len(seen) == 600


def test_a_lost_list_is_reported(packed) -> None:
    with pytest.raises(CorruptStream, match="list of files"):
        SeriesArchive(damage_section(packed[1], "FILE"))


def test_damaged_metadata_affect_no_file(packed) -> None:
    good, bad = restored_files(damage_section(packed[1], "META"), packed[0])
    assert not bad
    assert len(good) == 23


@pytest.mark.parametrize("place", [13, -1, -10, -20, -27, -40, -200])
def test_a_damaged_frame_affects_no_file(packed, place: int) -> None:
    root, path = packed
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    good, bad = restored_files(bytes(data), root)
    assert not bad
    assert len(good) == 23
    with SeriesArchive(bytes(data)) as archive:
        assert archive.info.damage


def test_a_damaged_head_of_a_section_affects_no_file(packed) -> None:
    root, path = packed
    with SeriesArchive(path) as archive:
        parts = archive._layout.entries
    for part in parts:
        data = bytearray(path.read_bytes())
        data[part.section.offset + 5] ^= 4
        good, bad = restored_files(bytes(data), root)
        assert not bad
        assert len(good) == 23


def test_truncated_after_the_list(packed) -> None:
    root, path = packed
    data = path.read_bytes()
    with SeriesArchive(path) as archive:
        end = archive._layout.find_all("FILE")[-1].section.end
    for length in (end, end + 5, len(data) - 1):
        good, bad = restored_files(data[:length], root)
        assert not bad
        assert len(good) == 23
    with pytest.raises(TruncatedStream, match="copy it again"):
        SeriesArchive(data[: end - 1])


def test_damage_in_one_slice_group_of_many(tmp_path, pack, write_ct, monkeypatch) -> None:
    """Of 40 slices in three groups, a head that is hurt costs those of one group, and they are named."""
    root = tmp_path / "in"
    monkeypatch.setattr("monai_compress.streams.groups.SMALLEST_GROUP_PIXELS", 1)
    values = np.random.default_rng(0).integers(-99, 99, (40, 16, 16))
    written = [write_ct(root / f"{99 - number}.dcm", hu, z=2.0 * number) for number, hu in enumerate(values)]
    pack(root, tmp_path / "x.mcz", effort="fast")
    data = bytearray((tmp_path / "x.mcz").read_bytes())
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        stream = archive._stream(0)
        groups = stream._layout.groups
        offset = archive._layout.find_all("STRM")[0].section.offset + SECTION_HEAD_BYTES
    assert len(groups) == 3
    for place in (offset + groups[1].sections["GRUP"].offset + 6, offset + groups[1].sections["GRUP"].offset + 60):
        data[place] ^= 2
        good, bad = restored_files(bytes(data), root)
        data[place] ^= 2
        first, last = groups[1].first, groups[1].first + groups[1].slices - 1
        assert set(bad) == {path.name for path in written[first : last + 1]}
        assert all(f"slices {first} to {last}" in words for words in bad.values())
        assert len(good) == 40 - len(bad)


def test_errors_name_the_archive_once(packed, tmp_path) -> None:
    (tmp_path / "hurt.mcz").write_bytes(damage_section(packed[1], "STRM"))
    with SeriesArchive(tmp_path / "hurt.mcz") as archive:
        for read in (lambda: archive[0], lambda: archive.hu(0), lambda: list(archive.read(archive.files[0]))):
            with pytest.raises(CorruptStream) as caught:
                read()
            assert str(caught.value).startswith(str(tmp_path / "hurt.mcz"))
            assert str(caught.value).count("hurt.mcz") == 1
        with pytest.raises(CorruptStream, match=r"hurt\.mcz.*checksum"):
            archive.check_frame()

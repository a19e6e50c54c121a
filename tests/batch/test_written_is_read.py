# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What the writer writes, the reader reads: odd clocks, permissions, names, sizes and folders, verified or not."""

from __future__ import annotations

import io
import os
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from monai_compress import StreamReader, StreamWriter, compress
from monai_compress.archive import ArchiveSettings, FileEntry, SeriesArchive, SourceFile, write_archive
from monai_compress.archive.file_entry import ByteRange, Original, SliceRange
from monai_compress.archive.file_table import pack_line, parse_table
from monai_compress.archive.formats.find import FileLayout
from monai_compress.archive.prepare import PreparedFile
from monai_compress.batch.pack import pack
from monai_compress.batch.plan import plan
from monai_compress.batch.unpack import select, unpack

LATEST_NS = 2**63 - 1
NO_FIXTURE_CHECK = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]

odd_names = st.sampled_from(
    [
        *[
            "...",
            "a.",
            "a ",
            " ",
            "-rf",
            "a\\b",
            "con",
            "NUL.txt",
            "a\nb",
            "\x1b[2J",
            "ä",
            "a\u0301",
            "\udcff\udc80",
            "*",
        ],
        *["n" * 255, "x.mcz", ".tmp-18b7cb099a9ea3f5-a.txt", "[a]", "~", "😀" * 60, "\u202e", "manifest.jsonl"],
    ]
)
any_names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60)
names = odd_names | any_names.filter(lambda name: name not in (".", ".."))
# a folder that is called like an archive or a manifest is reported as failed: the output folder needs that name
paths = st.lists(names, min_size=1, max_size=4).map(
    lambda parts: "/".join([*(part.replace(".mcz", "").replace(".jsonl", "") for part in parts[:-1]), parts[-1]])
)
# seconds from 1901 to 2446, which usual disks keep; they include times that an archive cannot state
times = st.integers(-(2**31), 2**34 - 2**31 - 1).flatmap(
    lambda seconds: st.sampled_from([0, 1, 999_999_999]).map(lambda ns: seconds * 10**9 + ns)
)
modes = st.sampled_from([0o644, 0o400, 0o777, 0o4755, 0o2755, 0o1777, 0o7777, 0o604])


class Contents(list[bytes]):
    """Contents of files, which a failing test does not print."""

    def __repr__(self) -> str:
        return "contents"


@pytest.fixture(scope="module")
def contents(made_tree) -> Contents:
    slice_bytes = sorted((made_tree / "a" / "ct").iterdir())[0].read_bytes()
    array = io.BytesIO()
    np.save(array, np.arange(12, dtype=np.int16).reshape(3, 4))
    return Contents([b"", b"x", b"text" * 99, slice_bytes, slice_bytes[:400], slice_bytes[:-9], array.getvalue()])


@settings(max_examples=8, deadline=None, suppress_health_check=NO_FIXTURE_CHECK)
@given(st.dictionaries(paths, st.tuples(st.integers(0, 6), times, modes), min_size=1, max_size=4), st.booleans())
@example({"a": (1, 9_300_000_000 * 10**9, 0o644)}, False)
@example({"/".join(["d" * 200] * 15): (1, -1, 0o644)}, True)
def test_trees(tmp_path, contents, files, verify):
    """Every file is restored with its bytes and name, and with its time or the nearest one that can be stated."""
    source, out, back = (tmp_path / name for name in ("in", "out", "back"))
    for folder in (source, out, back):
        shutil.rmtree(folder, ignore_errors=True)
    source.mkdir()
    written = {}
    for path, (content, ns, mode) in files.items():
        target = source / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(contents[content])
        except OSError:  # a name that this disk does not take, or that of a folder
            continue
        target.chmod(mode)
        os.utime(target, ns=(ns, ns))
        written[path] = target
    if not any(path.is_file() for path in source.rglob("*")):
        return
    report = pack(plan([source]), out, ArchiveSettings(verify=verify))
    assert report.skipped == []
    has_late_times = any(target.stat().st_mtime_ns > LATEST_NS for target in written.values())
    assert any("modification time" in remark for remark in report.remarks) == has_late_times
    result = unpack(select([out]), back)
    assert (result.skipped, result.restored) == ([], report.files)
    mask = os.umask(0)
    os.umask(mask)
    for path, target in written.items():
        restored = (back / path).stat()
        assert (back / path).read_bytes() == target.read_bytes()
        assert restored.st_mtime_ns == min(target.stat().st_mtime_ns, LATEST_NS)
        assert stat.S_IMODE(restored.st_mode) == stat.S_IMODE(target.stat().st_mode) & 0o777 & ~mask
    assert {path.name for path in back.iterdir()} == {path.name for path in source.iterdir()}
    assert pack(plan([source]), out, ArchiveSettings(verify=verify)).packed == 0


numbers = st.integers(-5, 5) | st.sampled_from([2**32, 2**32 + 1, 2**63 - 1, 2**63, -(2**63), 2**70])
segments = st.one_of(
    st.builds(ByteRange, st.sampled_from(["head", "data"]), numbers, numbers),
    st.builds(SliceRange, numbers, numbers, numbers, st.just("<i2")),
)
hashes = st.sampled_from(["0" * 64, "0" * 63, "A" * 64])
originals = st.none() | st.builds(Original, numbers, hashes, tail=st.just((ByteRange("head", 0, 9),)))


@settings(max_examples=60, deadline=None)
@given(
    st.builds(
        FileEntry,
        path=st.sampled_from(["a", "a/", "", ".", "..", "a//b", "/a", "a/../b", "\0", "\ud800", "\udcff"]) | paths,
        size=numbers,
        sha256=hashes,
        mode=numbers,
        mtime_ns=numbers,
        kind=st.sampled_from(["dicom", "other", "directory", "odd"]),
        how=st.sampled_from(["codec", "verbatim", "directory", "lossy", "odd"]),
        frames=numbers,
        segments=st.lists(segments, max_size=2).map(tuple),
        original=originals,
    )
)
def test_entries(entry):
    """An entry is either refused by the writer, or read as it was written."""
    try:
        line = pack_line(entry)
    except ValueError:
        return
    assert parse_table(line) == (entry,)


@pytest.mark.parametrize("ns", [2**63, 2**70, -(2**63), -(2**80)])
@pytest.mark.parametrize("mode", [0o644, 0o170644])
def test_times_and_modes_that_no_archive_states_are_limited(tmp_path, monkeypatch, ns, mode):
    (tmp_path / "a").write_text("text")
    monkeypatch.setattr("monai_compress.archive.retry.unchanged", lambda file: True)
    file = SourceFile(str(tmp_path / "a"), "a", 4, ns, mode, FileLayout("other", None, "x"))
    write_archive(tmp_path / "x.mcz", [file], ArchiveSettings(verify=False))
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        (entry,) = archive.files
        archive.check(entry)
    assert entry.mtime_ns == (LATEST_NS if ns > 0 else -LATEST_NS)
    assert entry.mode == 0o644


def test_a_file_that_cannot_be_listed_is_left_out_and_reported(tmp_path, monkeypatch):
    """As a last resort: the others are packed."""
    for name in "ab":
        (tmp_path / name).write_text(name)
    files = [
        SourceFile(str(path), path.name, 1, path.stat().st_mtime_ns, 0o644, FileLayout("other", None, "x"))
        for path in (tmp_path / "a", tmp_path / "b")
    ]
    entry = PreparedFile.entry

    def odd(self, content, parts):
        found = entry(self, content, parts)
        return found if found.path == "b" else FileEntry("../a", *[getattr(found, key) for key in _FIELDS])

    monkeypatch.setattr(PreparedFile, "entry", odd)
    for verify in (True, False):
        report = write_archive(tmp_path / "x.mcz", files, ArchiveSettings(verify=verify))
        assert [failure.reason for failure in report.failed] == ["cannot be listed"]
        with SeriesArchive(tmp_path / "x.mcz") as archive:
            assert [found.path for found in archive.files] == ["b"]


_FIELDS = ("size", "sha256", "mode", "mtime_ns", "kind", "how", "why", "frames", "segments")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
any_metadata = st.dictionaries(st.text(max_size=4), json_values, max_size=3) | json_values
floats = st.floats() | st.sampled_from([1.0, 0.5, -1.0, 1e300, 5e-324])
pairs = st.tuples(floats, floats)


@settings(max_examples=15, deadline=None)
@given(
    metadata=any_metadata,
    rescale=pairs | st.lists(pairs, min_size=2, max_size=2),
    padding_value=st.none() | st.integers(-40_000, 40_000),
    bits_stored=st.none() | st.integers(-1, 17),
    max_error=st.sampled_from([0, 0, 1, 1e9, float("nan"), float("inf"), -1]),
    group_slices=st.none() | st.integers(-1, 3),
    verify=st.booleans(),
)
@example([1], (1.0, 0.0), None, None, 0, None, False)
@example("text", (1.0, 0.0), None, None, 0, None, False)
@example({}, (10**400, 0), None, None, 0, None, False)
@example({}, (1.0, 0.0), None, None, 2**2000, None, False)
def test_streams(metadata, rescale, padding_value, bits_stored, max_error, group_slices, verify):
    """A stream is either refused by the writer, or read with all that was given."""
    image = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    options = {
        "metadata": metadata,
        "rescale": rescale,
        "padding_value": padding_value,
        "bits_stored": bits_stored,
        "max_error": max_error,
        "group_slices": group_slices,
        "verify": verify,
        "threads": 1,
    }
    file = io.BytesIO()
    try:
        data = compress(image, **options)
        with StreamWriter(file, **options) as writer:
            for one in image:
                writer.add(one)
    except (ValueError, TypeError):
        return
    for stream in (data, file.getvalue()):
        with StreamReader(stream) as reader:
            assert max_error or np.array_equal(reader.read(), image)
            assert reader.info.metadata == (metadata or {})
            assert reader.info.padding_value == padding_value
            given = rescale if isinstance(rescale, list) else [rescale]
            assert set(reader.info.rescale) <= {tuple(pair) for pair in given}


def test_deep_and_long_paths_from_a_zip(tmp_path):
    """A path of more than 4096 bytes is packed; a disk that refuses it is reported for that file alone."""
    import zipfile

    deep = "/".join(["d" * 100] * 60)
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as made:
        made.writestr(deep, "deep")
        made.writestr("a", "flat")
    report = pack(plan([tmp_path / "in.zip"]), tmp_path / "out", ArchiveSettings(verify=False))
    archives = list(Path(tmp_path / "out").rglob("*.mcz"))
    if not report.skipped:
        assert len(archives) == 2
    for archive in archives:
        with SeriesArchive(archive) as opened:
            opened.check(opened.files[0])
    result = unpack(select([tmp_path / "out"]), tmp_path / "back")
    assert (tmp_path / "back" / "a").read_text() == "flat"
    assert all(failure.reason == "cannot be written" for failure in result.skipped)

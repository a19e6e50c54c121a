# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Archives that a manifest names and that do not exist are named; renamed and replaced ones are not missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from monai_compress.archive import SeriesArchive
from monai_compress.batch.archives import find_archives
from monai_compress.batch.completeness import compare_with_manifests, contents_of_entries
from monai_compress.batch.manifest import redacted
from monai_compress.batch.pack import pack
from monai_compress.batch.plan import plan
from monai_compress.batch.shard import Shard
from monai_compress.batch.unpack import select, unpack
from monai_compress.errors import InputError

NAME = redacted(b"k" * 32)


@pytest.fixture(scope="module")
def made_sources(made_tree, tmp_path_factory) -> Path:
    """A series, two folders with the same note, and an empty folder."""
    root = tmp_path_factory.mktemp("complete") / "in"
    shutil.copytree(made_tree / "a" / "ct", root / "p1" / "ct")
    for folder in ("p1", "p2"):
        (root / folder).mkdir(exist_ok=True)
        (root / folder / "note.txt").write_text("the same in both")
    (root / "note.txt").write_text("of its own")
    (root / "p3" / "empty").mkdir(parents=True)
    for name, naming in (("plain", str), ("redacted", NAME)):
        pack(plan([root]), root.parent / name, name=naming)
    return root


@pytest.fixture(params=["plain", "redacted"])
def out(made_sources, tmp_path, request) -> Path:
    shutil.copytree(made_sources.parent / request.param, tmp_path / request.param)
    return tmp_path / request.param


def compared(*inputs: Path):
    held = {}
    for path in find_archives(inputs)[1]:
        with SeriesArchive(path) as archive:
            held[path] = contents_of_entries(archive.files)
    return compare_with_manifests(inputs, held)


def missing(*inputs: Path) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.archive.name, one.files) for one in compared(*inputs).missing]


def named(out: Path, *paths: str) -> list[str]:
    return [path if out.name == "plain" else NAME(path) for path in paths]


def series_of(out: Path) -> Path:
    return next((out / "p1" / "ct").glob("*.mcz"))


def test_a_complete_tree(out):
    assert compared(out).is_complete is True
    assert compared(out).remarks == []
    assert select([out]).is_complete is True


@pytest.mark.parametrize(
    ("archive", "files"),
    [
        ("p1/files.mcz", ["p1/note.txt"]),  # the same bytes are in another archive, but under another path
        ("p3/files.mcz", ["p3/empty/"]),
        ("note", ["note.txt"]),
        ("series", [f"p1/ct/slice_000{number}.dcm" for number in (1, 2, 3)]),
    ],
)
def test_an_archive_that_was_deleted(out, tmp_path, archive, files):
    path = {"series": series_of(out), "note": out / "files.mcz"}.get(archive, out / archive)
    path.unlink()
    (name,) = named(out, path.relative_to(out).as_posix())
    assert missing(out) == [(Path(name).name, tuple(sorted(named(out, *files))))]
    selection = select([out])
    assert selection.is_complete is False
    assert [failure.reason for failure in unpack(selection, tmp_path / "back").skipped] == ["missing archive"]


def test_only_what_is_asked_for_is_missed(out):
    (out / "p1" / "files.mcz").unlink()
    assert bool(select([out], ["p2/*"]).missing) == (out.name == "redacted")
    assert select([out], ["p1/*"]).missing


def test_archives_with_other_names_are_not_missing(out):
    series_of(out).rename(out / "p1" / "renamed.mcz")
    (out / "p1" / "files.mcz").rename(out / "elsewhere.mcz")
    assert missing(out) == []


def test_an_archive_that_was_replaced_by_another(out):
    shutil.copy(out / "files.mcz", out / "p1" / "files.mcz")
    ((_, files),) = missing(out)
    assert files == tuple(named(out, "p1/note.txt"))
    assert select([out]).skipped[0].reason == ("missing files" if out.name == "plain" else "missing archive")


def test_a_tree_without_a_manifest_cannot_be_checked(out):
    (out / "manifest.jsonl").unlink()
    result = compared(out)
    assert result.missing == [] and result.is_complete is None
    assert "cannot be checked" in result.remarks[0]
    assert "cannot be checked" in select([out]).unchecked[0]
    (archive,) = (out / "p2").iterdir()
    assert select([archive]).unchecked == [] and select([archive]).is_complete is None


def test_a_folder_below_the_manifest(out):
    (out / "p2" / "files.mcz").unlink()
    (out / "p1" / "files.mcz").unlink()
    if out.name == "plain":
        assert missing(out / "p1") == [("files.mcz", ("p1/note.txt",))]
    else:  # pseudonyms do not tell where an archive was
        assert compared(out / "p1").is_complete is None


def test_several_outputs_in_one_folder(made_sources, tmp_path):
    for name in ("one", "two"):
        shutil.copytree(made_sources.parent / "plain", tmp_path / "all" / name)
    assert compared(tmp_path / "all").is_complete is True
    series_of(tmp_path / "all" / "two").unlink()
    # the other copy has these bytes under these paths, but this one does not
    ((_, files),) = missing(tmp_path / "all")
    assert len(files) == 3 and compared(tmp_path / "all").missing[0].manifest.parent.name == "two"


def changed(made_sources, tmp_path) -> Path:
    """A second run into a copy of the plain tree: one note changed, one slice removed."""
    source, out = tmp_path / "in", tmp_path / "out"
    shutil.copytree(made_sources, source)
    shutil.copytree(made_sources.parent / "plain", out)
    (source / "p1" / "note.txt").write_text("a newer one")
    (source / "p1" / "ct" / "slice_0001.dcm").unlink()
    pack(plan([source]), out)
    return out


def test_generations(made_sources, tmp_path):
    out = changed(made_sources, tmp_path)
    assert compared(out).is_complete is True
    older, newer = out / "p1" / "files.mcz", out / "p1" / "files.2.mcz"
    data = newer.read_bytes()
    newer.unlink()
    assert missing(out) == [("files.2.mcz", ("p1/note.txt",))]
    newer.write_bytes(data)
    older.unlink()
    assert missing(out) == []  # replaced by the later run
    first = next(path for path in (out / "p1" / "ct").iterdir() if ".2." not in path.name)
    first.unlink()
    assert missing(out) == [(first.name, ("p1/ct/slice_0001.dcm",))]  # in no other archive


def test_a_damaged_version_does_not_replace_a_readable_one(made_sources, tmp_path):
    source, out = tmp_path / "in", tmp_path / "out"
    shutil.copytree(made_sources, source)
    shutil.copytree(made_sources.parent / "plain", out)
    path = source / "p1" / "ct" / "slice_0002.dcm"
    path.write_bytes(path.read_bytes()[:-9])
    pack(plan([source]), out)
    first = next(path for path in (out / "p1" / "ct").iterdir() if ".2." not in path.name)
    first.unlink()
    assert missing(out) == [(first.name, ("p1/ct/slice_0002.dcm",))]


def test_manifests_of_parts(made_sources, tmp_path):
    out = tmp_path / "out"
    for number in (1, 2):
        pack(plan([made_sources]), out, shard=Shard(number, 2))
    assert compared(out).is_complete is True
    (out / "p1" / "files.mcz").unlink()
    assert missing(out) == [("files.mcz", ("p1/note.txt",))]
    pack(plan([made_sources]), out)
    assert compared(out).is_complete is True
    # the whole run has packed new content under the old name; the manifest of the part still has the old one
    source = tmp_path / "in"
    shutil.copytree(made_sources, source)
    (source / "p1" / "note.txt").write_text("a newer one")
    (out / "p1" / "files.mcz").unlink()
    pack(plan([source]), out)
    assert (out / "p1" / "files.mcz").exists() and compared(out).is_complete is True


def test_a_folder_whose_archives_are_all_gone(tmp_path):
    line = {"path": "1.dcm", "archive": "a/x.mcz", "size": 1, "sha256": "0", "kind": "dicom", "how": "codec"}
    (tmp_path / "manifest.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(InputError, match=r"no \.mcz files, although its manifest names 1 with 1 files.*a/x\.mcz"):
        find_archives([tmp_path])

# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Zip archives as people have them: methods and features that are not supported, names in many forms."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from monai_compress import find_slices
from monai_compress.batch.tree import list_tree
from monai_compress.errors import InputError
from monai_compress.images import read_stored
from monai_compress.sources import open_binary, split, walk

LOCAL_METHOD, CENTRAL_METHOD = 8, 10
LOCAL_FLAGS, CENTRAL_FLAGS = 6, 8


def write_zip(path: Path, names: tuple[str, ...] = ("a",), content: bytes = b"x" * 1000) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, content)
    return path


def patch(path: Path, *, local: dict[int, int] | None = None, central: dict[int, int] | None = None) -> Path:
    """Change 16-bit fields of the first member, in the header in front of it and in the directory."""
    data = bytearray(path.read_bytes())
    for start, fields in ((0, local), (data.find(b"PK\1\2"), central)):
        for offset, value in (fields or {}).items():
            struct.pack_into("<H", data, start + offset, value)
    path.write_bytes(data)
    return path


def raw_zip(path: Path, names: tuple[bytes, ...], *, flags: int = 0, extra: bytes = b"", local: bytes = b"") -> Path:
    """Write stored members under names of any bytes; ``local`` is another name for the headers in front of them."""
    out, directory = io.BytesIO(), b""
    for number, name in enumerate(names):
        content = b"content %d" % number
        numbers = (zlib.crc32(content), len(content), len(content))
        start = out.tell()
        head = local or name
        out.write(struct.pack("<4s5H3I2H", b"PK\3\4", 20, flags, 0, 0, 33, *numbers, len(head), 0) + head + content)
        directory += struct.pack(
            "<4s6H3I5H2I", b"PK\1\2", 20, 20, flags, 0, 0, 33, *numbers, len(name), len(extra), 0, 0, 0, 0, start
        )
        directory += name + extra
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, len(names), len(names), len(directory), out.tell(), 0)
    path.write_bytes(out.getvalue() + directory + end)
    return path


def read(locator: str) -> bytes:
    with open_binary(locator) as stream:
        return stream.read()


def refusal(locator: str | Path) -> tuple[str, str]:
    with pytest.raises(InputError) as caught:
        read(str(locator))
    return caught.value.reason, caught.value.detail


@pytest.mark.parametrize(
    ("method", "name"),
    [(1, "Shrink"), (6, "Implode"), (9, "Deflate64"), (10, "PKWARE"), (95, "XZ"), (98, "PPMd"), (77, "method 77")],
)
@pytest.mark.parametrize("both", [True, False])
def test_methods_that_are_not_supported(tmp_path: Path, method: int, name: str, both: bool) -> None:
    path = patch(
        write_zip(tmp_path / "x.zip"), local={LOCAL_METHOD: method} if both else {}, central={CENTRAL_METHOD: method}
    )
    reason, detail = refusal(f"{path}!/a")
    assert reason == "unsupported zip member" and name in detail and "unpack the archive first" in detail
    skipped = find_slices(path).skipped
    assert [entry.reason for entry in skipped] == ["unsupported zip member"] and "corrupt" not in skipped[0].detail
    with pytest.raises(InputError, match="not supported"):
        read_stored(path)


def test_a_method_that_only_the_header_of_the_member_names(tmp_path: Path) -> None:
    path = patch(write_zip(tmp_path / "x.zip"), local={LOCAL_METHOD: 9})
    assert read(f"{path}!/a") == b"x" * 1000, "the directory is right"
    data = bytearray(path.read_bytes())
    data[31:36] = bytes(5)  # not deflate
    path.write_bytes(data)
    assert refusal(f"{path}!/a")[0] == "unsupported zip member"


@pytest.mark.parametrize(
    ("local", "central", "reason"),
    [
        ({LOCAL_FLAGS: 1}, {CENTRAL_FLAGS: 1}, "encrypted zip member"),
        ({LOCAL_FLAGS: 1, LOCAL_METHOD: 99}, {CENTRAL_FLAGS: 1, CENTRAL_METHOD: 99}, "encrypted zip member"),
        ({}, {CENTRAL_FLAGS: 0x20}, "unsupported zip member"),
        ({}, {CENTRAL_FLAGS: 0x40}, "unsupported zip member"),
        ({}, {6: 64}, "unsupported zip"),
    ],
)
def test_features_that_are_not_supported(
    tmp_path: Path, local: dict[int, int], central: dict[int, int], reason: str
) -> None:
    path = patch(write_zip(tmp_path / "x.zip"), local=local, central=central)
    found, detail = refusal(f"{path}!/a")
    assert found == reason and "corrupt" not in detail and "unpack" in detail
    assert [entry.reason for entry in find_slices(path).skipped] == [reason]


def test_a_zip_in_a_zip(tmp_path: Path) -> None:
    inner = write_zip(tmp_path / "inner.zip").read_bytes()
    path = tmp_path / "outer.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inner.zip", inner)
    reason, detail = refusal(f"{path}!/inner.zip")
    assert reason == "zip in a zip" and "not supported" in detail and "unpack the outer one first" in detail
    assert [entry.reason for entry in find_slices(path).skipped] == ["zip in a zip"]
    assert [entry.path for entry in list_tree([path]).entries] == ["inner.zip"], "an archive holds it as a file"


@pytest.mark.parametrize("part", ["first", "last"])
def test_one_of_several_volumes(tmp_path: Path, part: str) -> None:
    path = write_zip(tmp_path / "x.zip", ("a", "b"))
    data = bytearray(path.read_bytes())
    struct.pack_into("<HH", data, data.rfind(b"PK\5\6") + 4, 1, 1)
    cut = data.find(b"PK\3\4", 4)
    path.write_bytes(b"PK\7\x08" + data[:cut] if part == "first" else data[cut:])
    skipped = find_slices(path).skipped
    assert skipped[0].reason == "unsupported zip" and "several volumes" in skipped[0].detail
    assert "corrupt zip" not in {entry.reason for entry in skipped}


def test_what_only_has_the_suffix(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("hello")
    (tmp_path / "empty.zip").touch()
    (tmp_path / "cut.zip").write_bytes(write_zip(tmp_path / "x").read_bytes()[:-10])
    reasons = {Path(entry.locator).name: entry.reason for entry in find_slices(tmp_path).skipped}
    assert reasons["cut.zip"] == "corrupt zip"
    assert "zip" not in reasons["text.zip"] and "zip" not in reasons["empty.zip"]


def test_what_contradicts_itself_is_corrupt(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip")
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.find(b"PK\1\2") + 16, 7)  # the checksum
    path.write_bytes(data)
    assert refusal(f"{path}!/a") == ("corrupt zip member", "this zip member is corrupt")


def test_a_prefix_and_large_sizes(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip")
    path.write_bytes(b"MZ this program unpacks itself" + path.read_bytes())
    assert [read(locator) for locator in walk(path)] == [b"x" * 1000]
    with zipfile.ZipFile(tmp_path / "large.zip", "w") as archive, archive.open("a", "w", force_zip64=True) as member:
        member.write(b"zip64")
    assert [read(locator) for locator in walk(tmp_path / "large.zip")] == [b"zip64"]


def unicode_path(name: str, raw: bytes) -> bytes:
    field = b"\1" + struct.pack("<I", zlib.crc32(raw)) + name.encode()
    return struct.pack("<HH", 0x7075, len(field)) + field


JAPANESE = "患者/表.dcm"
SHIFT_JIS = JAPANESE.encode("shift_jis")


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (lambda path: raw_zip(path, (b"a\\b\\1.dcm",)), "a/b/1.dcm"),
        (lambda path: raw_zip(path, ("ä\\1.dcm".encode(),)), "ä/1.dcm"),
        (lambda path: raw_zip(path, ("ä\\1.dcm".encode(),), flags=0x800), "ä/1.dcm"),
        (lambda path: raw_zip(path, (b"a\\b/1.dcm",)), "a\\b/1.dcm"),
        (lambda path: raw_zip(path, ("ä/1.dcm".encode("cp437"),)), "ä/1.dcm"),
        (lambda path: raw_zip(path, ("ä/1.dcm".encode(),)), "ä/1.dcm"),
        (lambda path: raw_zip(path, (JAPANESE.encode(),)), JAPANESE),
        (lambda path: raw_zip(path, (SHIFT_JIS,), extra=unicode_path(JAPANESE, SHIFT_JIS)), JAPANESE),
        (lambda path: raw_zip(path, (SHIFT_JIS,), extra=unicode_path("other", b"other")), SHIFT_JIS.decode("cp437")),
        (lambda path: raw_zip(path, (SHIFT_JIS,)), SHIFT_JIS.decode("cp437")),
        (lambda path: raw_zip(path, ("表.dcm".encode("shift_jis"),)), "表.dcm".encode("shift_jis").decode("cp437")),
        (lambda path: raw_zip(path, (b"a\\b",), local=b"a/b"), "a/b"),
        (lambda path: raw_zip(path, (b"a/b",), local=b"a\\b"), "a/b"),
        (lambda path: raw_zip(path, ("ä".encode("cp437"),), local="ä".encode()), "ä"),
    ],
)
def test_forms_of_names(tmp_path: Path, make: Callable[[Path], Path], shown: str) -> None:
    path = make(tmp_path / "x.zip")
    assert list(walk(path)) == [f"{path}!/{shown}"]
    assert read(f"{path}!/{shown}") == b"content 0" and split(f"{path}!/{shown}#3")[1] == 3
    assert [entry.path for entry in list_tree([path]).entries] == [shown]


def test_names_that_are_equal_with_slashes_stay_apart(tmp_path: Path) -> None:
    path = raw_zip(tmp_path / "x.zip", (b"a\\b", b"a/b"))
    assert {locator: read(locator) for locator in walk(path)} == {
        f"{path}!/a\\b": b"content 0",
        f"{path}!/a/b": b"content 1",
    }


def test_the_name_in_the_archive_opens_the_member_too(tmp_path: Path) -> None:
    path = raw_zip(tmp_path / "x.zip", (b"a\\b",))
    assert read(f"{path}!/a\\b") == read(f"{path}!/a/b") == b"content 0"


def test_a_name_that_leads_outside_after_the_change_is_not_packed(tmp_path: Path) -> None:
    tree = list_tree([raw_zip(tmp_path / "x.zip", (b"..\\up", b"C:\\x\\1.dcm", b"\\1.dcm", b"ok"))])
    assert "ok" in [entry.path for entry in tree.entries]
    assert {entry.reason for entry in tree.skipped} == {"unsafe name"} and len(tree.skipped) >= 2


def test_another_name_in_front_of_the_member_is_corrupt(tmp_path: Path) -> None:
    path = raw_zip(tmp_path / "x.zip", (b"a/b",), local=b"c/d")
    assert refusal(f"{path}!/a/b")[0] == "corrupt zip member"


def test_malformed_extra_field_is_not_supported(tmp_path):
    for extra in (b"\x99\x99\x64\x00", b"\x01\x00\x10\x00\0"):
        path = raw_zip(tmp_path / "x.zip", (b"a.dcm", b"b.dcm"), extra=extra)
        assert [one.reason for one in find_slices(str(path)).skipped] == ["unsupported zip"]
        with pytest.raises(InputError, match=r"extra field .* unpack it first"):
            list_tree([path])


def test_names_that_are_wrongly_marked_as_utf8(tmp_path):
    path = raw_zip(tmp_path / "x.zip", (b"\x8a\xb3.dcm",), flags=0x800)
    assert [one.reason for one in find_slices(str(path)).skipped] == ["unsupported zip"]
    patch(path, central={CENTRAL_FLAGS: 0})
    assert [one.reason for one in find_slices(str(path)).skipped] == ["unsupported zip member"]


@pytest.mark.parametrize("name", ["export", "export.bin"])
def test_an_input_that_is_a_zip_archive_by_its_content(tmp_path, name):
    path = write_zip(tmp_path / name, ("a/1", "a/2"))
    assert list(walk(path)) == [f"{path}!/a/1", f"{path}!/a/2"]
    assert [one.locator for one in find_slices(str(path)).skipped] == [f"{path}!/a/1", f"{path}!/a/2"]
    assert list(walk(tmp_path)) == [str(path)]  # files in folders are not opened for this
    tree = list_tree([path])
    assert [entry.path for entry in tree.entries] == [name] and "packed as files" in tree.remarks[0]
    path.write_bytes(path.read_bytes()[:100])
    assert [one.reason for one in find_slices(str(path)).skipped] == ["zip archive: unpack it first"]


def test_an_input_that_is_a_zip_archive_without_its_end(tmp_path):
    path = write_zip(tmp_path / "x.zip", ("a/1", "a/2"))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="corrupt or cut off"):
        list_tree([path])
    path.write_text("no zip archive, despite its name")
    assert [entry.path for entry in list_tree([path]).entries] == ["x.zip"]

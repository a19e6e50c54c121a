# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Tables of patients as people have them: from Excel, from Windows, for folders that lie elsewhere."""

from __future__ import annotations

import json
import unicodedata
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from monai_compress.cli import main
from monai_compress.data import PatientTable, find_slices
from monai_compress.errors import DatasetError

FILES = ("a/1.png", "a/2.png", "b/1.png", "b/3.png")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of four pictures."""
    for name in FILES:
        write_picture(tmp_path / "data" / name)
    return tmp_path / "data"


def write_picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4)).save(path)


def write_table(folder: Path, rows: Iterable[str], header: str = "path,patient_group", **options: str) -> Path:
    path = folder / "table.csv"
    with path.open("w", newline="", **options) as file:  # type: ignore[call-overload]
        file.write("\n".join([header, *rows]) + "\n")
    return path


def patients(root: Path, table: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """The patient of each file that the table knows, and the notes."""
    inventory = find_slices(root, patients_csv=table)
    matched = PatientTable.read(table).match([item.image for item in inventory.items], [str(root)])
    assert inventory.table_rows == (matched.matched, matched.rows)
    known = {item.name: matched.patient(item.image) for item in inventory.items}
    return {name: patient for name, patient in known.items() if patient is not None}, matched.notes


@pytest.mark.parametrize(
    "path",
    [
        "a/1.png",
        "a\\1.png",
        ".\\a\\1.png",
        "./a/1.png",
        "a//1.png",
        "b/../a/1.png",
        "  a/1.png ",
        '"a/1.png"',
        ' "a/1.png"',
        '"""a\\1.png"""',
        "'a/1.png'",
        "a/1.png/",
    ],
)
def test_ways_to_write_a_path(data: Path, path: str) -> None:
    rows = [f"{path},x", "a/2.png,y", "b,z"]
    assert patients(data, write_table(data, rows)) == (
        {"a/1.png": "x", "a/2.png": "y", "b/1.png": "z", "b/3.png": "z"},
        (),
    )


@pytest.mark.parametrize("folder", ["a", "a/", "a\\", "./a", ".\\a\\"])
def test_ways_to_write_a_folder(data: Path, folder: str) -> None:
    assert patients(data, write_table(data, [f"{folder},x"])) == ({"a/1.png": "x", "a/2.png": "x"}, ())


@pytest.mark.parametrize(
    "content",
    [
        b"path,patient_group\r\na\\1.png,x\r\nb,y\r\n",
        b"\xef\xbb\xbfpath;patient_group\r\na\\1.png;x\r\nb;y",
        b"path\tpatient_group\na/1.png\tx\nb\ty\n",
        b"sep=;\r\npath;patient_group\r\na\\1.png;x\r\nb;y\r\n",
        b"path,patient_group\ra/1.png,x\rb,y\r",
        b"Path, Patient_Group \na/1.png , x\nb , y\n",
        b'"PATH","Patient Group"\n"a/1.png","x"\n"b","y"\n',
        b"# from the register\n\npath,patient_group\n\n# more\na/1.png,x\n,\nb,y\n\n",
        b"number;Patient-Group;path\n1;x;a/1.png\n2;y;b\n",
        "path\tpatient_group\r\na\\1.png\tx\r\nb\ty\r\n".encode("utf-16"),
        "path,patient_group\na/1.png,x\nb,y\n".encode("utf-16-le"),
        "path,patient_group\na/1.png,x\nb,y\n".encode("utf-16-be"),
    ],
)
def test_forms_of_a_table(data: Path, content: bytes) -> None:
    (data / "table.csv").write_bytes(content)
    assert patients(data, data / "table.csv") == ({"a/1.png": "x", "b/1.png": "y", "b/3.png": "y"}, ())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            "path,patient_group\na/1.png,x\nb,Müller\n".encode("latin-1"),
            "not UTF-8 text .byte 0xFC in line 3.*CSV UTF-8",
        ),
        (b"file,patient_group\na,b\n", "lacks the column path"),
        (b"path,Path,patient_group\na,b,c\n", "column path twice"),
        (b"# nothing else\n", "lacks the column"),
        (b"path,patient_group\na/1.png,x\nb/1.png,y\na\\1.png,z\n", "two patients.*lines 2 and 4"),
        (b"path,patient_group\nnot/here.png,x\nnot/here.png,z\n", "two patients"),
        (b"path,patient_group,class\na,x,ill\na/,x,well\n", "two classes.*lines 2 and 3"),
        (b'path,patient_group\n"' + b"a" * 200_000 + b'",x\n', "cannot be read as CSV in line"),
    ],
)
def test_tables_that_are_refused(data: Path, content: bytes, words: str) -> None:
    (data / "table.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=words) as caught:
        find_slices(data, patients_csv=data / "table.csv")
    assert caught.value.where == str(data / "table.csv")
    assert "Müller" not in str(caught.value)


def test_two_rows_of_one_file_complete_each_other(data: Path) -> None:
    table = write_table(data, ["a/1.png,x,", "a/1.png,,ill", "a/1.png,x,ill"], "path,patient_group,class")
    assert patients(data, table) == ({"a/1.png": "x"}, ())
    assert {item.name: item.label for item in find_slices(data, patients_csv=table).items}["a/1.png"] == "ill"


def test_another_case_counts_where_one_file_fits(data: Path) -> None:
    found, notes = patients(data, write_table(data, ["A/1.PNG,x", "B,y"]))
    assert found == {"a/1.png": "x", "b/1.png": "y", "b/3.png": "y"}
    assert notes == ("the table of patients: 2 rows match files only if upper and lower case count as equal",)
    write_picture(data / "A" / "1.png")
    found, notes = patients(data, write_table(data, ["a/1.PNG,x", "b,y"]))
    assert found == {"b/1.png": "y", "b/3.png": "y"}
    assert "1 of 2 rows match files; 1 match nothing" in notes[0] and "1 rows may mean several files" in notes[1]


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_forms_of_accents(tmp_path: Path, forms: tuple[str, str]) -> None:
    name, written = (unicodedata.normalize(form, "Müller/é.png") for form in forms)
    write_picture(tmp_path / name)
    assert patients(tmp_path, write_table(tmp_path, [f"{written},x"], encoding="utf-8")) == ({name: "x"}, ())


@pytest.mark.parametrize("start", ["D:\\study\\", "/mnt/other/", "\\\\server\\share\\", "elsewhere/"])
def test_paths_of_another_computer(data: Path, start: str) -> None:
    rows = [f"{start}a/1.png,x", f"{start}a/2.png,y", f"{start}b,z", f"{start}c/9.png,w"]
    found, notes = patients(data, write_table(data.parent, rows))
    assert found == {"a/1.png": "x", "a/2.png": "y", "b/1.png": "z", "b/3.png": "z"}
    assert (
        "3 of 4 rows match files; 1 match nothing" in notes[0] and "3 of 4 rows match files only by the end" in notes[1]
    )


def test_the_end_of_a_path_counts_only_where_it_is_certain(data: Path) -> None:
    found, notes = patients(data, write_table(data.parent, ["D:\\1.png,x"]))
    assert found == {} and notes[0].startswith("WARNING: none of the 1 rows") and "1 rows may mean several" in notes[1]
    found, notes = patients(data, write_table(data.parent, ["D:\\s\\a\\1.png,x", "D:\\s\\q\\3.png,y"]))
    assert "b/3.png" not in found, "s/q is another folder than b, as the first row shows or both are unclear"
    found, notes = patients(data, write_table(data, ["a/1.png,x", "q/3.png,y"]))
    assert found == {"a/1.png": "x"}, "where some rows match as they are written, the others name other files"
    assert notes == ("the table of patients: 1 of 2 rows match files; 1 match nothing",)


def test_no_row_matches(data: Path) -> None:
    found, notes = patients(data, write_table(data, ["x/7.png,x", "y\0/8.png,y"]))
    assert found == {} and notes[0].startswith("WARNING: none of the 2 rows of the table of patients matches a file")


def test_rows_of_files_that_were_not_searched(data: Path) -> None:
    _, notes = patients(data / "a", write_table(data, ["a/1.png,x", "b/1.png,y", "c/1.png,z"]))
    assert notes == (
        "the table of patients: 1 of 3 rows match files; 1 name files that were not searched; 1 match nothing",
    )


def test_missing_values(data: Path) -> None:
    found, notes = patients(data, write_table(data, ["a/1.png,x", "a/2.png", ",y", "b/1.png,"]))
    assert found == {"a/1.png": "x"}
    assert notes == ("the table of patients: 3 rows lack a path, or have neither a patient nor a class",)


@pytest.mark.parametrize("separator", ["!/", "/", "\\", "!\\"])
def test_members_of_zip_archives(tmp_path: Path, data: Path, separator: str) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        for name in FILES:
            archive.write(data / name, name)
    rows = [f"z.zip{separator}a/1.png,x", f"z.zip{separator}b,y"]
    found, notes = patients(tmp_path / "z.zip", write_table(tmp_path, rows))
    assert {name.split("!/")[1]: patient for name, patient in found.items()} == {
        "a/1.png": "x",
        "b/1.png": "y",
        "b/3.png": "y",
    }
    assert notes == ()


def test_info_says_how_many_rows_match(data: Path) -> None:
    table = write_table(data, ["a\\1.png,x", "q,y"])
    result = CliRunner().invoke(main, ["info", str(data), "--patients", str(table), "--json"])
    values = json.loads(result.stdout)
    assert values["table_rows"] == {"matched": 1, "all": 2}
    assert "the table of patients: 1 of 2 rows match files" in result.stderr
    assert any("1 of 2 rows" in note for note in values["notes"])

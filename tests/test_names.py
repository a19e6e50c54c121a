# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Names of files that are not UTF-8 or hold control characters: exact in files, escaped where they are shown."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_compress.data import build_datasets, data_hash, find_slices, items_of, read_manifest
from monai_compress.errors import Skipped
from monai_compress.files import write_atomic
from monai_compress.metrics import slice_errors, summarize
from monai_compress.models import Preprocessing, load_model, save_model
from monai_compress.names import printable
from monai_compress.networks import build_network
from monai_compress.report import write_report
from monai_compress.report.figures import patient_plot

RAW = ("患者".encode("shift_jis"), "Müller".encode("latin-1"), b"new\nline", b"\x1b[2J\x07", b"$x$ <b>", b"n" * 200)
"""Shift-JIS, Latin-1, control characters, markup of other languages, a long name."""
NAMES = [os.fsdecode(name) for name in RAW]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Müller 患者.dcm", "Müller 患者.dcm"),
        ("a\u3000b\u00a0c", "a\u3000b\u00a0c"),
        (os.fsdecode(b"\x8a\xb3"), r"\udc8a\udcb3"),
        ("a\nb\tc\x1b[31m\x9b", r"a\nb\tc\x1b[31m\x9b"),
        ("a\u202eb\u2028", r"a\u202eb\u2028"),
        ("a\\n", "a\\n"),
    ],
)
def test_what_is_shown_of_a_name(name: str, shown: str) -> None:
    assert printable(name) == shown == printable(shown)
    assert shown.encode("utf-8")
    assert printable(f"{name}\nend", keep_lines=True).endswith("\nend")


def test_a_text_file_is_utf8_and_json_gives_the_name_back(tmp_path: Path) -> None:
    for escape in (True, False):
        write_atomic(tmp_path / "x.json", json.dumps(NAMES, ensure_ascii=escape))
        text = (tmp_path / "x.json").read_text(encoding="utf-8")
        assert [os.fsencode(name) for name in json.loads(text)] == list(RAW)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for name in RAW:
        path = tmp_path / "data" / os.fsdecode(name) / os.fsdecode(name)
        path.parent.mkdir(parents=True)
        with path.open("wb") as file:
            Image.new("L", (16, 16)).save(file, "PNG")
    return tmp_path / "data"


@pytest.mark.parametrize("split_by", ["patient", "slice"])
@pytest.mark.parametrize("cache", ["memory", "disk", None])
@pytest.mark.filterwarnings("ignore:split by slice")
def test_data_sets_and_their_manifests(pictures: Path, tmp_path: Path, split_by: str, cache: str | None) -> None:
    options = {"spatial_size": 16, "cache": cache, "cache_dir": tmp_path / "cache", "split_by": split_by}
    made = build_datasets(pictures, **options)  # type: ignore[arg-type]
    assert sum(len(part) for part in made.items.values()) == len(RAW)
    made.write_manifest(tmp_path / "manifest.json")
    manifest = read_manifest(tmp_path / "manifest.json")
    back = items_of(manifest, [str(pictures)], "manifest")
    assert back == {name: list(part) for name, part in made.items.items()}
    assert data_hash(item for part in back.values() for item in part) == manifest["data_hash"]
    again = build_datasets(pictures, manifest=tmp_path / "manifest.json", **options)  # type: ignore[arg-type]
    assert again.items == made.items


def test_a_report(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for k, name in enumerate(NAMES):
        image = rng.normal(0, 100, (24, 24))
        errors = slice_errors(image + k + 1, image, unit="HU")
        rows.append({"image": f"/x/{name}", "patient": name, "series": name, "psnr_db": 30.0 + k, **errors})
    page = write_report(
        tmp_path / NAMES[0],
        title=NAMES[1],
        rows=rows,
        summary=summarize(rows),
        configuration={"data": NAMES[0]},
        facts={"command": NAMES[3]},
        notes=NAMES,
        skipped=[Skipped(name, "reason", f"{name}: detail") for name in NAMES],
    )
    text = page.read_text(encoding="utf-8")
    assert not {char for char in text if ord(char) < 32} - {"\n"}
    assert r"\udc8a\udcb3" in text and r"M\udcfcller" in text and r"\x1b[2J\x07" in text
    values = json.loads((page.parent / "metrics.json").read_text(encoding="utf-8"))
    assert [os.fsencode(row["image"]) for row in values["slices"]] == list(RAW)
    assert (page.parent / "slices.csv").read_text(encoding="utf-8")


def test_labels_of_a_chart_are_no_formulas() -> None:
    assert patient_plot({r"$\frac{": [1.0, 2.0], "a$b": [3.0], NAMES[0]: [2.0], NAMES[3]: [4.0]}, "dB") is not None


def test_a_model_in_a_folder_that_is_not_utf8(tmp_path: Path) -> None:
    network = build_network("classic")
    written = save_model(tmp_path / NAMES[0], network, Preprocessing((32, 32), (-1000, 400), "pad"), {})
    assert load_model(tmp_path / NAMES[0]).weights_hash == written


def test_one_name_is_one_patient_wherever_it_lies(pictures: Path) -> None:
    assert {os.fsencode(item.name.split("/")[0]) for item in find_slices(pictures).items} == set(RAW)

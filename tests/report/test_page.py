# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The page is self-contained, shows the right numbers, escapes all text and contains nothing identifying."""

from __future__ import annotations

import base64
import csv
import errno
import io
import json
import math
import os
import re
import threading
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from monai_compress.errors import OutputError, Skipped
from monai_compress.metrics import choose_examples, slice_errors, summarize
from monai_compress.report import Example, write_report

SIZE = (40, 48)


def hu_slice(seed: int) -> np.ndarray:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    hu = np.full(SIZE, -1000.0)
    hu[(rows - 20) ** 2 / 15**2 + (columns - 24) ** 2 / 20**2 < 1] = 40
    return hu + np.random.default_rng(seed).normal(0, 5, SIZE)


def case(slices: int = 6, patients: int = 3, unit: str = "HU") -> dict[str, Any]:
    """Arguments of a report of a small evaluation: the error grows from slice to slice."""
    rows, pairs = [], []
    for k in range(slices):
        original = hu_slice(k)
        made = original + 10.0 * (k + 1)
        pairs.append((original, made))
        rows.append(
            {
                "image": f"/scans/DOE^JANE/19500101/IM{k:04d}.dcm",
                "patient": f"p{k % patients + 1:04d}",
                "series": f"1.2.840.{k}",
                "psnr_db": 40.0 - k,
                "ssim": 0.99 - 0.01 * k,
                "ms_ssim": math.nan,
                **slice_errors(made, original, unit=unit),
            }
        )
    return {
        "title": "Test",
        "rows": rows,
        "summary": summarize(rows),
        "examples": [Example(label, *pairs[k], unit, rows[k]) for label, k in choose_examples(rows)],
        "history": [
            {"epoch": e, "train_loss": 1 / e, "val_loss": 1.2 / e, "val_psnr_db": 20.0 + e, "val_ssim": 0.8, "lr": 1e-3}
            for e in (1, 2, 3)
        ],
        "configuration": {"data": {"root": "/home/jane doe/ct"}, "training": {"loss": "bce"}},
        "facts": {
            "input_values": 65536, "latent_values": 8192, "held_out": True, "data_hash": "abc123",
            "command": "monai-compress train --data /home/jane", "training slices": 475,
        },
        "notes": ["These are simulated patients."],
        "skipped": [Skipped("/scans/DOE^JANE/mr.dcm", "modality MR", "the modality is MR"), Skipped("/a/b", "empty")],
    }  # fmt: skip


class Page(HTMLParser):
    """Collects addresses, images without a text, open tags and the visible words of a page."""

    VOID = frozenset({"meta", "img", "source", "br", "link", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.words: list[str] = []
        self.stack: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.addresses += [str(found[name]) for name in ("src", "srcset", "href", "action", "data") if name in found]
        if tag == "img":
            self.images.append(found)
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.stack):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page_of(folder: Path, **changes: Any) -> Page:
    return Page(write_report(folder, **(case() | changes)).read_text(encoding="utf-8"))


def test_the_page_is_self_contained(tmp_path: Path) -> None:
    path = write_report(tmp_path / "new" / "run", **case())
    assert path == tmp_path / "new" / "run" / "report.html"
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "metrics.json", "patients.csv", "report.html", "slices.csv"
    ]  # fmt: skip
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.stack == []
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in page.addresses)
    assert not re.search(r"https?://|@import|url\(", text)
    ids = set(re.findall(r'id="([^"]+)"', text))
    assert {address[1:] for address in page.addresses if address.startswith("#")} <= ids
    for address in page.addresses:
        if address.startswith("data:"):
            Image.open(io.BytesIO(base64.b64decode(address.split(",", 1)[1]))).verify()
    # all images have alternative text, except the color bars and the empty frame of the enlarged image
    assert sum(bool(image.get("alt")) for image in page.images) == 3 * 2 * 3 + 4 + 1
    assert sum(image.get("alt") == "" for image in page.images) == 3 * 2 + 1


def test_the_page_shows_the_numbers(tmp_path: Path) -> None:
    text = page_of(tmp_path).text
    for words in (
        "These are simulated patients.",
        "6 slices of 3 patients that were not used in training were encoded",
        "37.50 dB",
        "+35.0 HU",  # bias in the body
        "0.125",
        "8 times fewer values",
        "Worst slice",
        "Lung window −1350 to 150 HU",
        "Mediastinum window −160 to 240 HU",
        "PSNR by patient",
        "modality MR",
        "monai-compress train --data /home/jane",
        "abc123",
        "training slices 475",
        "loss: bce",
        "MS-SSIM needs images of at least 176 × 176 pixels",
    ):
        assert words in text, words


def test_more_latents_than_input_values_are_reported_as_no_compression(tmp_path: Path) -> None:
    text = page_of(tmp_path, facts={"input_values": 65536, "latent_values": 131072}).text
    assert "No compression" in text
    assert "not used in training" not in text


def test_only_rows_are_needed(tmp_path: Path) -> None:
    rows = [{"image": "a.png", "patient": "p0001", "psnr_db": 30.0}]
    page = Page(write_report(tmp_path, title="Bare", rows=rows, summary=summarize(rows)).read_text("utf-8"))
    assert "1 slice of 1 patient was encoded" in page.text
    assert "Training" not in page.text
    assert "Excluded files" not in page.text
    assert Page(write_report(tmp_path, title="None", rows=[], summary=summarize([])).read_text("utf-8")).stack == []


def test_identical_and_unmeasurable_slices(tmp_path: Path) -> None:
    arguments = case()
    rows = [dict(row, psnr_db=math.inf) for row in arguments["rows"]]
    text = page_of(tmp_path, rows=rows, summary=summarize(rows)).text
    assert "∞ dB" in text
    assert "every slice is identical to its original" in text
    rows[0]["psnr_db"] = 33.0
    text = page_of(tmp_path, rows=rows, summary=summarize(rows)).text
    assert "5 identical slices excluded from the mean" in text
    assert "nan" not in text.lower().split()
    assert "None" not in text


def test_gray_pictures_have_one_window_and_no_body(tmp_path: Path) -> None:
    text = page_of(tmp_path, **case(unit="gray")).text
    assert "Full range" in text
    assert "gray levels" in text
    assert "Lung window" not in text
    assert "in the body" not in text


def test_everything_is_escaped(tmp_path: Path) -> None:
    evil = "<script>alert('x')</script>\"&"
    arguments = case(slices=2)
    rows = [dict(row, patient=evil, image=evil.replace("/", "")) for row in arguments["rows"]]
    path = write_report(
        tmp_path,
        title=evil,
        rows=rows,
        summary=summarize(rows),
        examples=[Example(evil, hu_slice(0), hu_slice(1), "HU", rows[0])],
        history=arguments["history"],
        configuration={evil: evil},
        facts={evil: evil, "command": evil, "data_hash": evil},
        notes=[evil],
        skipped=[Skipped(evil, evil, evil)],
    )
    text = path.read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert text.count("<script>") == 1
    assert Page(text).stack == []


def test_no_folder_and_no_uid_is_written(tmp_path: Path) -> None:
    write_report(tmp_path, **case())
    for file in tmp_path.iterdir():
        text = file.read_text(encoding="utf-8")
        for secret in ("DOE^JANE", "19500101", "1.2.840"):
            assert secret not in text, (file.name, secret)
    assert "IM0005.dcm" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_redacted_paths(tmp_path: Path) -> None:
    write_report(tmp_path, **case(), redact_paths=True)
    for file in tmp_path.iterdir():
        text = file.read_text(encoding="utf-8")
        for secret in ("IM0005", "mr.dcm", "/home", "jane"):
            assert secret not in text, (file.name, secret)
    assert "slice 6" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_json_and_csv_hold_the_numbers(tmp_path: Path) -> None:
    arguments = case()
    arguments["rows"][0]["psnr_db"] = math.inf
    arguments["rows"][1]["ssim"] = np.float32(0.5)
    arguments["summary"] = summarize(arguments["rows"])
    write_report(tmp_path, **arguments)

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    data = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert data["slices"][0]["psnr_db"] == "inf"
    assert data["slices"][0]["ms_ssim"] is None
    assert data["summary"]["slices"]["psnr_db"]["identical"] == 1
    assert data["facts"]["latent_values"] == 8192
    assert {"python", "torch", "monai", "numpy", "pydicom", "monai_compress", "platform"} <= set(data["versions"])
    with (tmp_path / "slices.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 6
    assert float(rows[0]["psnr_db"]) == math.inf
    assert rows[0]["ms_ssim"] == ""
    assert float(rows[3]["rmse_body_hu"]) == pytest.approx(40)
    with (tmp_path / "patients.csv").open(encoding="utf-8", newline="") as stream:
        patients = list(csv.DictReader(stream))
    assert [row["patient"] for row in patients] == ["p0001", "p0002", "p0003"]
    assert float(patients[1]["psnr_db"]) == pytest.approx(37.5)


def test_a_full_disk_does_not_damage_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = write_report(tmp_path, **case()).read_bytes()

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match="disk is full"):
        write_report(tmp_path, **(case() | {"title": "New"}))
    assert (tmp_path / "report.html").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 4


def test_invalid_examples_are_refused() -> None:
    with pytest.raises(ValueError, match="two-dimensional"):
        Example("worst", np.zeros((4, 4)), np.zeros((4, 5)))
    with pytest.raises(ValueError, match="NaN"):
        Example("worst", np.zeros((4, 4)), np.full((4, 4), np.nan))


def test_reports_in_two_threads(tmp_path: Path) -> None:
    errors: list[BaseException] = []

    def write(name: str) -> None:
        try:
            write_report(tmp_path / name, **case(slices=3))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert (tmp_path / "a" / "slices.csv").read_bytes() == (tmp_path / "b" / "slices.csv").read_bytes()

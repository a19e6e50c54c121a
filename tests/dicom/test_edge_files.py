# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Odd but real files: what pydicom decodes must load and be equal; the rest must be refused by name."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest

from monai_compress.dicom import check_ct, read_header, read_image
from monai_compress.errors import NoPixels, NotCT, NotDicom, UndecodablePixels
from monai_compress.sources import walk


@pytest.fixture(params=["installed with pydicom", "shared"])
def folder(request) -> Path:
    # the folder itself: pydicom's own functions would download what is missing
    installed = Path(pydicom.__file__).parent / "data"
    return installed if request.param != "shared" else request.getfixturevalue("shared_data") / "edge_dicom"


def _by_pydicom(path: str) -> np.ndarray | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            return pydicom.dcmread(path, force=True).pixel_array
        except Exception:
            return None
        finally:
            logging.disable(logging.NOTSET)


def test_every_file(folder, record_property):
    outcomes: Counter[str] = Counter()
    for path in walk(folder):
        expected = _by_pydicom(path)
        try:
            image = read_image(path)
        except (NotDicom, NoPixels, UndecodablePixels) as error:
            assert expected is None, f"pydicom decodes {path}, but: {error}"
            outcomes[f"{type(error).__name__}: {error.reason}"] += 1
            continue
        if expected is None:
            assert image.notes, f"pydicom refuses {path}, so there must be a remark"
        else:
            assert np.array_equal(image.stored.reshape(expected.shape), expected, equal_nan=True)
        last = len(image.stored) - 1
        one = read_image(path, last)
        assert np.array_equal(one.stored[0], image.stored[last], equal_nan=True), path
        try:
            check_ct(image.header)
            assert image.hu().shape == image.stored.shape[1:]
            outcomes["CT"] += 1
        except NotCT as error:
            outcomes[f"NotCT: {error.reason}"] += 1
        assert read_header(path).get("SOPInstanceUID") == image.header.get("SOPInstanceUID")
    for outcome, count in outcomes.most_common():
        record_property(outcome, count)
    # pydicom installs about 60 images, of which several are CT
    assert outcomes["CT"] >= 5 and outcomes["NotCT: modality MR"] >= 10 and outcomes["NoPixels: no pixel data"] >= 10

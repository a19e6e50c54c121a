# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Folders of scans to data sets that are split by patient."""

from __future__ import annotations

from .cache import SliceCache
from .dataset_manifest import data_hash, items_of, read_manifest, write_manifest
from .datasets import Datasets, build_datasets
from .inventory import Inventory, Item, StageProgress, find_slices, summarize_skipped
from .patients import PatientTable
from .split import SPLITS, split_patients, split_shares, subsample

__all__ = [
    "SPLITS",
    "Datasets",
    "Inventory",
    "Item",
    "PatientTable",
    "SliceCache",
    "StageProgress",
    "build_datasets",
    "data_hash",
    "find_slices",
    "items_of",
    "read_manifest",
    "split_patients",
    "split_shares",
    "subsample",
    "summarize_skipped",
    "write_manifest",
]

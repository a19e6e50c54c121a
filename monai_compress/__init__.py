# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Compress CT scans with networks that learned CT.

Public names are loaded when first used (PEP 562), so that ``import monai_compress`` does not import torch or MONAI.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("monai_compress")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

_PUBLIC = {
    "BlockTransformAutoEncoder": "networks",
    "Compressd": "transforms",
    "CompressionError": "errors",
    "ConvAutoEncoder": "networks",
    "Decompressd": "transforms",
    "StreamReader": "streams",
    "StreamWriter": "streams",
    "SeriesArchive": "archive",
    "TrainingConfig": "engines",
    "build_datasets": "data",
    "compress": "api",
    "decompress": "api",
    "evaluate": "engines",
    "find_slices": "data",
    "inspect": "api",
    "load_model": "models",
    "save_model": "models",
    "slice_transforms": "transforms",
    "train": "engines",
    "write_report": "report",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> object:
    if name in _PUBLIC:
        return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The content of slices in files, read only where their positions leave open which of them form a stack."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Hashable, Sequence

from pydicom import Dataset

from ..errors import InputError
from ..sources import open_binary, quiet, split
from .copies import SliceContent, pixel_digest
from .read import read_header, read_image
from .rescale import rescale_of
from .traits import Traits, traits_of

_CHUNK_BYTES = 2**20


class FileContent(SliceContent):
    """Content of DICOM files.

    Args:
        locators: of the slices.
    """

    def __init__(self, locators: Sequence[str]) -> None:
        self._locators = locators
        self._header: tuple[str, Dataset] = ("", Dataset())
        self._sizes: dict[str, int | None] = {}
        self._digests: dict[str, bytes | None] = {}

    def traits(self, index: int) -> Traits:
        """Return what may tell a slice from others at its position; nothing if its header can no longer be read."""
        file, frame = split(self._locators[index])
        if file != self._header[0]:
            try:
                self._header = file, read_header(file)
            except InputError:
                return {}
        with quiet():
            return traits_of(self._header[1], frame or 0)

    def size(self, index: int) -> Hashable | None:
        """Return the number of bytes of the file, and the frame; None if it cannot be read."""
        file, frame = split(self._locators[index])
        if file not in self._sizes:
            try:
                # not that of `state`, which is the size of the whole zip archive
                with open_binary(file) as stream:
                    self._sizes[file] = stream.seek(0, io.SEEK_END)
            except InputError:
                self._sizes[file] = None
        found = self._sizes[file]
        return None if found is None else (found, frame)

    def file_digest(self, index: int) -> Hashable | None:
        """Return SHA-256 and frame; None if the file cannot be read."""
        file, frame = split(self._locators[index])
        if file not in self._digests:
            self._digests[file] = _sha256(file)
        found = self._digests[file]
        return None if found is None else (found, frame)

    def pixel_digest(self, index: int) -> Hashable | None:
        """Return a digest of stored values, rescale and padding; None if they do not decode."""
        try:
            image = read_image(self._locators[index])
        except InputError:
            return None
        rescale = rescale_of(image.header, split(self._locators[index])[1] or 0)
        return pixel_digest(image.stored, rescale, image.padding_range)


def _sha256(file: str) -> bytes | None:
    digest = hashlib.sha256()
    try:
        with open_binary(file) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
    except (InputError, OSError):
        return None
    return digest.digest()

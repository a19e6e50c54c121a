# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""A lossy codec of thirty lines, to test that a codec needs nothing but its own module."""

from __future__ import annotations

import zlib

import numpy as np

from monai_compress.bitstream.header import value_range
from monai_compress.codecs.base import Codec, EncodedGroup, checksum
from monai_compress.errors import CorruptStream

PADDING = -(2**31)


class ToyCodec(Codec):
    """Stored values divided by a step and deflated; the step is 101 - quality."""

    id, name, promises = 200, "toy", frozenset({"lossy"})

    def check_options(self, options):
        if options.quality is None or not 0 <= options.quality <= 100:
            raise ValueError(f"the codec 'toy' needs a quality of 0 to 100, not {options.quality}")

    def encoder(self, promise, model, options, threads):
        return ToyCoder(promise, 101 - int(options.quality))

    def decoder(self, promise, model, backend, threads):
        return ToyCoder(promise, 0)


class ToyCoder:
    def __init__(self, promise, step):
        self.promise, self.step = promise, step

    def encode(self, slices):
        latents = np.rint(slices / self.step).astype("<i4")
        latents[slices == self.promise.padding_value] = PADDING
        sections = {"GRUP": bytes([self.step]) + zlib.compress(latents.tobytes())}
        return EncodedGroup(sections, len(slices), checksum(latents), self.recon(latents, self.step))

    def decode(self, sections, shape, expected):
        try:
            latents = np.frombuffer(zlib.decompress(sections["GRUP"][1:]), "<i4").reshape(shape)
        except (zlib.error, ValueError) as error:
            raise CorruptStream(f"does not inflate: {error}") from error
        if checksum(latents) != expected:
            raise CorruptStream("decodes to other latents")
        return self.recon(latents, sections["GRUP"][0])

    def recon(self, latents, step):
        lowest, highest = value_range(self.promise.dtype, self.promise.bits_stored)
        recon = np.clip(latents.astype(np.int64) * step, lowest, highest)
        if (padding_value := self.promise.padding_value) is not None:
            recon[recon == padding_value] += 1 if padding_value < highest else -1
            recon[latents == PADDING] = padding_value
        return recon.astype(self.promise.dtype)

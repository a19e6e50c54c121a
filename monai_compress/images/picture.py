# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""PNG, JPG and TIFF pictures of CT slices as gray values."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import InputError, PictureError
from ..sources import open_binary, quiet, split

MAX_PIXELS = 2**26

FORMATS = ("PNG", "JPEG", "TIFF")

# ITU-R BT.601, the weights of Pillow's own "L"
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def read_picture(source: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> tuple[NDArray[np.float32], int]:
    """Read a picture as gray values.

    Colors are converted to luminance (ITU-R BT.601), and transparent pixels are blended with black. Pillow reads 16-bit
    colors as 8 bits; 16-bit gray is read in full.

    Args:
        source: a path or locator.
        max_pixels: refuse pictures with more pixels than this.

    Returns:
        gray values, (rows, columns) float32 in [0, 1]; and the integer of the file that became 1.0, 255 or 65535.

    Raises:
        PictureError: not a PNG, JPG or TIFF file, cut off, corrupt, of several pages, too large, or of a pixel type
            without a defined maximum (32-bit integers, floats).
    """
    where, _ = split(source)
    with quiet():
        try:
            with open_binary(where) as stream, Image.open(stream, formats=FORMATS) as picture:
                return _gray(picture, where, max_pixels)
        except PictureError:
            raise
        except InputError as error:
            raise PictureError(error.detail, reason=error.reason, where=where) from error
        except Image.DecompressionBombError as error:
            raise _too_large(where) from error
        except Image.UnidentifiedImageError as error:
            raise PictureError("this is not a PNG, JPG or TIFF file", reason="not a picture", where=where) from error
        except Exception as error:
            message = f"the picture does not decode ({type(error).__name__}): cut off or corrupt"
            raise PictureError(message, reason="picture does not decode", where=where) from error


def _gray(picture: Image.Image, where: str, max_pixels: int) -> tuple[NDArray[np.float32], int]:
    if picture.width * picture.height > max_pixels:
        raise _too_large(where)
    pages = getattr(picture, "n_frames", 1)
    if pages > 1:
        message = f"the file has {pages} pages; save each as a file of its own"
        raise PictureError(message, reason="several pages", where=where)
    if picture.mode.startswith("I;16"):
        return _floats(picture) / np.float32(65535), 65535
    if picture.mode in ("I", "F"):
        message = "32-bit pictures have no defined maximum; save it with 8 or 16 bits"
        raise PictureError(message, reason="32-bit picture", where=where)
    if picture.mode in ("1", "L"):
        return _floats(picture.convert("L")) / np.float32(255), 255
    layers = _floats(picture.convert("RGBA")) / np.float32(255)
    return layers[..., :3] @ _LUMA * layers[..., 3], 255


def _floats(picture: Image.Image) -> NDArray[np.float32]:
    return np.asarray(picture).astype(np.float32)


def _too_large(where: str) -> PictureError:
    message = "the picture has more than max_pixels pixels; raise it if this size is correct"
    return PictureError(message, reason="picture too large", where=where)

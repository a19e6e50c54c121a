# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""PNG, JPG and TIFF pictures of CT slices as gray values."""

from __future__ import annotations

import os
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import InputError, PictureError
from ..sources import open_binary, quiet, split
from .picture_headers import readable_tiff, unsupported_form

MAX_PIXELS = 2**26

FORMATS = ("PNG", "JPEG", "TIFF")

# ITU-R BT.601, the weights of Pillow's own "L"
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)

# EXIF and TIFF 6.0
_BITS, _PHOTOMETRIC, _ORIENTATION, _SAMPLE_FORMAT, _SUBFILE = 258, 262, 274, 339, 254
_SIGNED, _MIN_IS_WHITE, _REDUCED_OR_MASK = 2, 0, 0b101


def read_picture(source: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> tuple[NDArray[np.float32], int]:
    """Read a picture as gray values, as a screen shows it.

    The orientation in EXIF or TIFF tags is applied (values other than 1 to 8 mean none), and white is high also where
    the file stores it as 0. Colors are converted to luminance (ITU-R BT.601), and transparent pixels are blended with
    black. Pillow reads 16-bit colors, and 16-bit gray with transparency, as 8 bits; 12- and 16-bit gray is read in
    full. Gamma and color profiles are ignored. Of a JPEG file with further pictures (MPO) the first is read, and of a
    TIFF file with reduced copies and masks the full picture.

    Args:
        source: a path or locator.
        max_pixels: refuse pictures with more pixels than this.

    Returns:
        gray values, (rows, columns) float32 in [0, 1]; and the integer of the file that became 1.0: 255, 4095 or 65535.

    Raises:
        PictureError: not a PNG, JPG or TIFF file, cut off, corrupt, of several pages, too large, or of a pixel type
            without a defined black and white (32-bit integers, floats, signed integers) or that Pillow does not read.

    Source: EXIF 2.32, section 4.6.4, and TIFF 6.0, section 8.
    """
    where, _ = split(source)
    with quiet():
        try:
            with open_binary(where) as stream:
                try:
                    with Image.open(stream, formats=FORMATS) as picture:
                        return _gray(picture, where, max_pixels)
                except Image.UnidentifiedImageError:
                    stream.seek(0)
                    changed = readable_tiff(stream)
                    if changed is None:
                        raise
                    with Image.open(changed, formats=("TIFF",)) as picture:
                        return _gray(picture, where, max_pixels, is_inverted=True)
        except PictureError:
            raise
        except InputError as error:
            raise PictureError(error.detail, reason=error.reason, where=where) from error
        except Image.DecompressionBombError as error:
            raise _too_large(where) from error
        except Exception as error:
            raise _does_not_decode(where, error) from error


def _gray(
    picture: Image.Image, where: str, max_pixels: int, is_inverted: bool = False
) -> tuple[NDArray[np.float32], int]:
    _select_page(picture, where)
    if picture.width * picture.height > max_pixels:
        raise _too_large(where)
    tags = getattr(picture, "tag_v2", {})  # of TIFF
    bits = int(np.ravel(tags.get(_BITS, 16))[0])
    if picture.mode == "F" or (picture.mode == "I" and bits == 32):
        message = "32-bit pictures have no defined maximum; save it with 8 or 16 bits"
        raise PictureError(message, reason="32-bit picture", where=where)
    if _SIGNED in np.ravel(tags.get(_SAMPLE_FORMAT, 1)):
        message = "signed pictures have no defined black and white; save it with 8 or 16 bits without sign"
        raise PictureError(message, reason="signed picture", where=where)
    if picture.mode.startswith("I"):
        maximum = 2**bits - 1
        levels = _floats(picture)
        # Pillow inverts 1 to 8 bits itself
        if is_inverted or tags.get(_PHOTOMETRIC) == _MIN_IS_WHITE:
            levels = maximum - levels
        gray = levels / np.float32(maximum)
        gray[_is_transparent(picture, gray.shape)] = 0
    else:
        maximum = 255
        if picture.mode in ("1", "L"):
            depth = _png_depth(picture)
            gray = _floats(picture.convert("L")) / np.float32(255)
            gray[_is_transparent(picture, gray.shape, depth)] = 0
        else:
            gray = _luminance(picture, where)
    # Pillow applies the orientation of TIFF
    return (gray if picture.format == "TIFF" else _upright(gray, _orientation(picture))), maximum


def _select_page(picture: Image.Image, where: str) -> None:
    """Go to the only picture of a file; reduced copies and masks beside it do not count.

    Raises:
        PictureError: there are several.
    """
    pages = getattr(picture, "n_frames", 1)
    if pages == 1 or picture.format == "MPO":
        return
    full = []
    if picture.format == "TIFF":
        for page in range(pages):
            picture.seek(page)
            if not picture.tag_v2.get(_SUBFILE, 0) & _REDUCED_OR_MASK:  # type: ignore[attr-defined]
                full.append(page)
            if len(full) > 1:
                break
    if len(full) != 1:
        message = f"the file has {pages} pages; save each as a file of its own"
        raise PictureError(message, reason="several pages", where=where)
    picture.seek(full[0])


def _luminance(picture: Image.Image, where: str) -> NDArray[np.float32]:
    if picture.mode == "La":
        picture = picture.convert("LA")
    transparent = picture.info.get("transparency")
    if picture.mode == "RGB" and isinstance(transparent, tuple) and max(transparent) > 255:
        # the color is stored with 16 bits, of which the pixels have lost the lower 8
        picture.info["transparency"] = tuple(value >> 8 for value in transparent)
    try:
        layers = _floats(picture.convert("RGBA")) / np.float32(255)
    except ValueError as error:
        message = f"pictures in the color space {picture.mode} are not supported; save it as gray or RGB"
        raise PictureError(message, reason="unsupported picture", where=where) from error
    return layers[..., :3] @ _LUMA * layers[..., 3]


def _png_depth(picture: Image.Image) -> int:
    """Return the bits of a gray pixel in a PNG file before it is loaded; 8 for other formats."""
    tile = getattr(picture, "tile", None)
    rawmode = str(tile[0][3]) if picture.format == "PNG" and tile else ""
    return {"L;2": 2, "L;4": 4}.get(rawmode, 8)


def _is_transparent(picture: Image.Image, shape: tuple[int, ...], depth: int = 8) -> NDArray[np.bool_]:
    """Return which gray pixels have the level that a PNG file declares as transparent, bool of ``shape``."""
    level = picture.info.get("transparency")
    if not isinstance(level, int) or picture.mode == "P":
        return np.zeros(shape, bool)
    if picture.mode == "1":
        return np.asarray(picture.convert("L")) == level
    return np.asarray(picture) == level * 255 // (2**depth - 1) if depth < 8 else np.asarray(picture) == level


def _orientation(picture: Image.Image) -> int:
    # what cannot be read as EXIF says nothing, as for any program that shows pictures
    with suppress(Exception):
        return int(picture.getexif().get(_ORIENTATION, 1))
    return 1


def _upright(image: NDArray[np.float32], orientation: int) -> NDArray[np.float32]:
    """Return an image, (rows, columns), in the orientation of a screen.

    Source: EXIF 2.32, section 4.6.4, A, Orientation.

    >>> _upright(np.array([[1, 2], [3, 4]], np.float32), 6)
    array([[3., 1.],
           [4., 2.]], dtype=float32)
    """
    if orientation in (5, 6, 7, 8):
        image = image.T
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def _floats(picture: Image.Image) -> NDArray[np.float32]:
    return np.asarray(picture).astype(np.float32)


def _too_large(where: str) -> PictureError:
    message = "the picture has more than max_pixels pixels; raise it if this size is correct"
    return PictureError(message, reason="picture too large", where=where)


def _does_not_decode(where: str, error: Exception) -> PictureError:
    with open_binary(where) as stream:
        form = unsupported_form(stream)
    if form:
        return PictureError(
            f"{form} is not supported; save it as PNG or TIFF with 8 or 16 bits",
            reason="unsupported picture",
            where=where,
        )
    if isinstance(error, Image.UnidentifiedImageError):
        return PictureError("this is not a PNG, JPG or TIFF file", reason="not a picture", where=where)
    message = (
        f"the picture does not decode ({type(error).__name__}): it is cut off or corrupt, or in a form that is not "
        "supported"
    )
    return PictureError(message, reason="picture does not decode", where=where)

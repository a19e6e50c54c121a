# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Backends of the pixel codec: implementations with identical bytes and identical integers.

`numba_backend` computes 16 pixels at a time on each CPU core and is the default. `torch_backend` computes whole
wavefronts, on CPU or CUDA. `base` has the contract of both.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .base import PixelBackend

BACKENDS: Final = ("numba", "torch")
"""Names of all backends; the name "torch" may be followed by a device, as in "torch:cuda:1" or "torch:cpu"."""


def find_backend(name: str) -> PixelBackend[Any]:
    """Return the backend with a name.

    Args:
        name: ``"numba"``, ``"torch"`` (the caller's current GPU where there is one, else the CPU), or ``"torch"`` with
            a device: ``"torch:cpu"``, ``"torch:cuda"``, ``"torch:cuda:1"``.

    Raises:
        ValueError: the name is unknown, or this machine cannot run the backend.

    >>> find_backend("numba").name
    'numba'
    """
    kind, _, device = str(name).partition(":")
    if kind not in BACKENDS or (kind == "numba" and name != "numba"):
        raise ValueError(
            f"unknown backend {name!r} of the pixel codec: use {' or '.join(map(repr, BACKENDS))}, or 'torch' with a "
            "device, as in 'torch:cuda:1'"
        )
    backend: PixelBackend[Any]
    if kind == "numba":
        from .numba_backend import NumbaBackend

        backend = NumbaBackend()
    else:
        if find_spec("torch") is None:
            raise ValueError(f"the backend {name!r} of the pixel codec needs PyTorch: 'pip install torch' installs it")
        from .torch_backend import TorchBackend

        backend = TorchBackend(device or None)
    if not backend.is_available():
        raise ValueError(f"the backend {name!r} of the pixel codec needs a device that this machine does not have")
    return backend

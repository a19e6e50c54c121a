# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Integer matrix products for 16 pixels at once, compiled to the best instruction of the processor.

Activations are unsigned bytes, weights signed bytes, sums 32-bit: every instruction below gives the same integers, as
long as no sum exceeds 32 bits, which `ContextModel` checks when it is loaded.

::

    x[k, i]   int32   bytes of activations 4k .. 4k + 3 of pixel i, the first in the lowest byte
    w[k, o]   int32   bytes of the weights from activations 4k .. 4k + 3 to output o
    sums[o, i] += sum over k and the four bytes of x[k, i] * w[k, o]

numba does not compile loops to these instructions, so that they are called by name: ``vpdpbusd`` (AVX-512 VNNI, 64
products each), else ``pmaddwd`` in the widest available form (every x86-64 processor has one), else plain loops.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numba
import numba.core.config
import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils

from .lanes import PIXELS, intrinsic

OUTPUT_BLOCK = 16
"""Outputs that are summed at once: as many registers hold their sums."""

config: Any = numba.core.config

_I32 = ir.IntType(32)
_I64 = ir.IntType(64)
_SUMS = ir.VectorType(_I32, PIXELS)


def instruction() -> str:
    """Return the instruction that products are compiled to: ``vpdpbusd``, ``pmaddwd512 / 256 / 128`` or ``loops``.

    ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES`` are respected, as numba itself respects them.
    """
    triple = binding.get_process_triple()
    if not triple.startswith(("x86_64", "amd64")):
        return "loops"
    if config.CPU_FEATURES:
        features = {name[1:] for name in config.CPU_FEATURES.split(",") if name.startswith("+")}
    elif config.CPU_NAME and binding.get_host_cpu_name() != config.CPU_NAME:
        features = set()
    else:
        features = {name for name, is_present in binding.get_host_cpu_features().items() if is_present}
    for feature, name in (("avx512vnni", "vpdpbusd"), ("avx512bw", "pmaddwd512"), ("avx2", "pmaddwd256")):
        if feature in features:
            return name
    return "pmaddwd128"


_INSTRUCTION = instruction()


@intrinsic
def _address(typingctx: Any, array: Any, offset: Any) -> Any:
    """Return a pointer to one element of a one-dimensional int32 array."""
    signature = types.CPointer(types.int32)(array, types.intp)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.gep(data, [arguments[1]])

    return signature, codegen


@intrinsic
def _accumulate(typingctx: Any, x: Any, w: Any, steps: Any, outputs: Any, sums: Any) -> Any:
    """Add the products of ``steps`` words of 16 pixels and 16 of ``outputs`` outputs to 16 x 16 sums."""
    pointer = types.CPointer(types.int32)
    signature = types.void(pointer, pointer, types.intp, types.intp, pointer)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, w, steps, outputs, sums = arguments
        multiply = _MULTIPLIERS[_INSTRUCTION](builder)
        cells = [cgutils.alloca_once(builder, _SUMS) for _ in range(OUTPUT_BLOCK)]
        for o, cell in enumerate(cells):
            builder.store(builder.load(_vector_at(builder, sums, _I64(o * PIXELS)), align=4), cell)
        with cgutils.for_range(builder, steps) as loop:
            pixels = builder.load(_vector_at(builder, x, builder.mul(loop.index, _I64(PIXELS))), align=4)
            prepared = multiply.prepare(pixels)
            row = builder.mul(loop.index, outputs)
            for o, cell in enumerate(cells):
                word = builder.load(builder.gep(w, [builder.add(row, _I64(o))]))
                builder.store(multiply(builder.load(cell), prepared, word), cell)
        for o, cell in enumerate(cells):
            builder.store(builder.load(cell), _vector_at(builder, sums, _I64(o * PIXELS)), align=4)
        return context.get_dummy_value()

    return signature, codegen


def _vector_at(builder: Any, pointer: Any, offset: Any) -> Any:
    return builder.bitcast(builder.gep(pointer, [offset]), _SUMS.as_pointer())


def _splat(builder: Any, word: Any, lanes: int) -> Any:
    kind = ir.VectorType(_I32, lanes)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), word, _I32(0))
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), ir.Constant(kind, [0] * lanes))


class _ByteProducts:
    """``vpdpbusd``: four products of bytes and their sum in each of 16 lanes."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder
        # the factors are vectors of bytes from LLVM 22 on, of words before
        self.bytes = ir.VectorType(ir.IntType(8), 64) if binding.llvm_version_info[0] >= 22 else _SUMS
        kind = ir.FunctionType(_SUMS, [_SUMS, self.bytes, self.bytes])
        self.function = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512.vpdpbusd.512")

    def prepare(self, pixels: Any) -> Any:
        return self.builder.bitcast(pixels, self.bytes)

    def __call__(self, cell: Any, prepared: Any, word: Any) -> Any:
        weights = self.builder.bitcast(_splat(self.builder, word, PIXELS), self.bytes)
        return self.builder.call(self.function, [cell, prepared, weights])


class _WordProducts:
    """``pmaddwd``: two products of 16-bit words and their sum in each lane; bytes are widened first."""

    NAMES: ClassVar = {16: "llvm.x86.avx512.pmaddw.d.512", 8: "llvm.x86.avx2.pmadd.wd", 4: "llvm.x86.sse2.pmadd.wd"}

    def __init__(self, builder: Any, lanes: int) -> None:
        self.builder, self.lanes = builder, lanes
        self.sums = ir.VectorType(_I32, lanes)
        self.words = ir.VectorType(ir.IntType(16), 2 * lanes)
        kind = ir.FunctionType(self.sums, [self.words, self.words])
        self.function = cgutils.get_or_insert_function(builder.module, kind, self.NAMES[lanes])

    def _part(self, vector: Any, index: int) -> Any:
        order = ir.Constant(self.sums, list(range(index * self.lanes, (index + 1) * self.lanes)))
        return self.builder.shuffle_vector(vector, ir.Constant(_SUMS, ir.Undefined), order)

    def prepare(self, pixels: Any) -> Any:
        builder, mask = self.builder, ir.Constant(_SUMS, [0x00FF00FF] * PIXELS)
        even = builder.and_(pixels, mask)
        odd = builder.and_(builder.lshr(pixels, ir.Constant(_SUMS, [8] * PIXELS)), mask)
        return [
            [builder.bitcast(self._part(half, i), self.words) for half in (even, odd)]
            for i in range(PIXELS // self.lanes)
        ]

    def __call__(self, cell: Any, prepared: Any, word: Any) -> Any:
        builder = self.builder
        low, high = _I32(0xFFFF), _I32(16)
        # bytes 0 and 2, and bytes 1 and 3, each as two signed 16-bit words
        even = builder.or_(
            builder.and_(builder.ashr(builder.shl(word, _I32(24)), _I32(24)), low),
            builder.shl(builder.ashr(builder.shl(word, _I32(8)), _I32(24)), high),
        )
        odd = builder.or_(
            builder.and_(builder.ashr(builder.shl(word, high), _I32(24)), low),
            builder.shl(builder.ashr(word, _I32(24)), high),
        )
        weights = [builder.bitcast(_splat(builder, half, self.lanes), self.words) for half in (even, odd)]
        parts = []
        for pair in prepared:
            products = [builder.call(self.function, [p, q]) for p, q in zip(pair, weights, strict=True)]
            parts.append(builder.add(*products))
        return builder.add(cell, self._joined(parts))

    def _joined(self, parts: list[Any]) -> Any:
        while len(parts) > 1:
            lanes = 2 * parts[0].type.count
            order = ir.Constant(ir.VectorType(_I32, lanes), list(range(lanes)))
            parts = [self.builder.shuffle_vector(a, b, order) for a, b in zip(parts[::2], parts[1::2], strict=True)]
        return parts[0]


_MULTIPLIERS: dict[str, Any] = {
    "vpdpbusd": _ByteProducts,
    "pmaddwd512": lambda builder: _WordProducts(builder, 16),
    "pmaddwd256": lambda builder: _WordProducts(builder, 8),
    "pmaddwd128": lambda builder: _WordProducts(builder, 4),
}


@numba.njit(nogil=True)
def _by_instruction(x: Any, w: Any, bias: Any, steps: int, outputs: int, sums: Any) -> None:
    for first in range(0, outputs, OUTPUT_BLOCK):
        for o in range(first, first + OUTPUT_BLOCK):
            for i in range(PIXELS):
                sums[o * PIXELS + i] = bias[o]
        _accumulate(_address(x, 0), _address(w, first), steps, outputs, _address(sums, first * PIXELS))


@numba.njit(nogil=True)
def _by_loops(x: Any, w: Any, bias: Any, steps: int, outputs: int, sums: Any) -> None:
    for o in range(outputs):
        for i in range(PIXELS):
            sums[o * PIXELS + i] = bias[o]
        for k in range(steps):
            word = w[k * outputs + o]
            for byte in range(4):
                shift = np.int32(8 * byte)
                weight = np.int32(np.int32(word << np.int32(24 - 8 * byte)) >> np.int32(24))
                for i in range(PIXELS):
                    part = np.int32((x[k * PIXELS + i] >> shift) & np.int32(255))
                    sums[o * PIXELS + i] = np.int32(sums[o * PIXELS + i] + np.int32(part * weight))


dense = _by_loops if _INSTRUCTION == "loops" else _by_instruction
"""``dense(x, w, bias, steps, outputs, sums)``: all int32 and flat; ``outputs`` is a multiple of 16."""

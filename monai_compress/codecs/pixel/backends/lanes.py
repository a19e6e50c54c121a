# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Sixteen 32-bit integers as one value of compiled code: the pixels that are computed at once.

numba turns a loop over 16 pixels into vector instructions only when it can prove that no two arrays overlap, which it
seldom can. Therefore vectors are explicit here: a value of type ``Lanes`` is held in a vector register (or in several,
on processors with shorter registers), and ``+ - * >> << & |`` and the functions below operate on all lanes. The code is
portable LLVM, for any processor; sums and products wrap at 32 bits.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

import numba
from llvmlite import ir
from numba import extending, types
from numba.extending import models, overload, register_model

PIXELS: Final = 16
"""Pixels that are computed at once."""

# numba supplies the first argument of an intrinsic, which a type checker cannot know
intrinsic: Any = extending.intrinsic

_I32 = ir.IntType(32)
_VECTOR = ir.VectorType(_I32, PIXELS)


class LanesType(types.Type):
    """The numba type of sixteen int32."""

    def __init__(self) -> None:
        super().__init__(name="Lanes16")


LANES = LanesType()


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, _VECTOR)


def _splat_value(builder: Any, word: Any) -> Any:
    first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), word, _I32(0))
    return builder.shuffle_vector(first, ir.Constant(_VECTOR, ir.Undefined), ir.Constant(_VECTOR, [0] * PIXELS))


def _element(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


@intrinsic
def splat(typingctx: Any, value: Any) -> Any:
    """Return lanes that all equal the lowest 32 bits of an integer."""
    kind: Any = value
    if not isinstance(value, types.Integer):
        return None

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = arguments[0]
        if word.type.width > 32:
            word = builder.trunc(word, _I32)
        elif word.type.width < 32:
            word = builder.sext(word, _I32) if kind.signed else builder.zext(word, _I32)
        return _splat_value(builder, word)

    return LANES(value), codegen


@intrinsic
def load(typingctx: Any, array: Any, index: Any) -> Any:
    """Read 16 consecutive elements of a flat int32 array."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _element(context, builder, signature.args[0], arguments[0], arguments[1])
        return builder.load(builder.bitcast(pointer, _VECTOR.as_pointer()), align=4)

    return LANES(array, types.intp), codegen


@intrinsic
def store(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """Write the lanes to 16 consecutive elements of a flat int32 array."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _element(context, builder, signature.args[0], arguments[0], arguments[1])
        builder.store(arguments[2], builder.bitcast(pointer, _VECTOR.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, LANES), codegen


@intrinsic
def gather(typingctx: Any, array: Any, index: Any) -> Any:
    """Read the elements of a flat int32 array at the indices in the lanes, which must be valid."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        result = ir.Constant(_VECTOR, ir.Undefined)
        for lane in range(PIXELS):
            at = builder.zext(builder.extract_element(arguments[1], _I32(lane)), ir.IntType(64))
            result = builder.insert_element(result, builder.load(builder.gep(data, [at])), _I32(lane))
        return result

    return LANES(array, LANES), codegen


def _binary(emit: Callable[[Any, Any, Any], Any], doc: str) -> Any:
    def typed(typingctx: Any, a: Any, b: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return emit(builder, *arguments)

        return LANES(LANES, LANES), codegen

    typed.__doc__ = doc
    return intrinsic(typed)


def _choose(comparison: str) -> Callable[[Any, Any, Any], Any]:
    return lambda builder, a, b: builder.select(builder.icmp_signed(comparison, a, b), a, b)


def _test(comparison: str) -> Callable[[Any, Any, Any], Any]:
    return lambda builder, a, b: builder.zext(builder.icmp_signed(comparison, a, b), _VECTOR)


_OPERATORS = {
    operator.add: _binary(lambda builder, a, b: builder.add(a, b), "Sums."),
    operator.sub: _binary(lambda builder, a, b: builder.sub(a, b), "Differences."),
    operator.mul: _binary(lambda builder, a, b: builder.mul(a, b), "Products."),
    operator.rshift: _binary(lambda builder, a, b: builder.ashr(a, b), "Arithmetic shifts right by 0 to 31."),
    operator.lshift: _binary(lambda builder, a, b: builder.shl(a, b), "Shifts left by 0 to 31."),
    operator.and_: _binary(lambda builder, a, b: builder.and_(a, b), "Bitwise and."),
    operator.or_: _binary(lambda builder, a, b: builder.or_(a, b), "Bitwise or."),
    operator.eq: _binary(_test("=="), "1 where equal, else 0."),
    operator.ne: _binary(_test("!="), "1 where not equal, else 0."),
    operator.gt: _binary(_test(">"), "1 where greater, else 0."),
    operator.ge: _binary(_test(">="), "1 where greater or equal, else 0."),
    operator.le: _binary(_test("<="), "1 where less or equal, else 0."),
}
_smaller = _binary(_choose("<"), "The smaller of each pair.")
_greater = _binary(_choose(">"), "The greater of each pair.")
divide = _binary(lambda builder, a, b: builder.sdiv(a, b), "Quotients of positive integers, rounded down.")


def _overload(function: Any, implementation: Any) -> None:
    @overload(function, inline="always")
    def _implemented(a, b):  # type: ignore[no-untyped-def]  # numba compares its signature with those below
        if a is LANES and b is LANES:
            return lambda a, b: implementation(a, b)
        if a is LANES and isinstance(b, types.Integer):
            return lambda a, b: implementation(a, splat(b))
        if isinstance(a, types.Integer) and b is LANES:
            return lambda a, b: implementation(splat(a), b)
        return None


for _function, _implementation in _OPERATORS.items():
    _overload(_function, _implementation)


@intrinsic
def where(typingctx: Any, condition: Any, a: Any, b: Any) -> Any:
    """Return ``a`` where the condition is not 0, else ``b``."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zero = ir.Constant(_VECTOR, [0] * PIXELS)
        return builder.select(builder.icmp_signed("!=", arguments[0], zero), arguments[1], arguments[2])

    return LANES(LANES, LANES, LANES), codegen


@numba.njit(nogil=True, inline="always")
def at_least(a: Any, low: int) -> Any:
    """Return the lanes limited to at least ``low``."""
    return _greater(a, splat(low))


@numba.njit(nogil=True, inline="always")
def at_most(a: Any, high: int) -> Any:
    """Return the lanes limited to at most ``high``."""
    return _smaller(a, splat(high))


@numba.njit(nogil=True, inline="always")
def clip(a: Any, low: int, high: int) -> Any:
    """Return the lanes clipped to low .. high."""
    return _smaller(_greater(a, splat(low)), splat(high))


@numba.njit(nogil=True, inline="always")
def maximum(a: Any, b: Any) -> Any:
    """Return the greater of each pair."""
    return _greater(a, b)


@numba.njit(nogil=True, inline="always")
def absolute(a: Any) -> Any:
    """Return the absolute values."""
    return _greater(a, splat(0) - a)

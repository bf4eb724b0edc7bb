"""Single machine instructions that numba has no name for."""

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

__all__ = ["as_float", "bits_set", "lowest_bit", "pointer", "single"]


def _as_float(_: Any, word: Any) -> Any:
    def read(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(word), read


def _bits_set(_: Any, word: Any) -> Any:
    def count(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(word), count


def _lowest_bit(_: Any, word: Any) -> Any:
    def count(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(word), count


def _single(_: Any, word: Any, half_number: Any) -> Any:
    def read(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        half, word_bits = ir.IntType(32), arguments[0].type
        number = (
            builder.zext(arguments[1], word_bits)
            if arguments[1].type != word_bits
            else arguments[1]
        )
        shift = builder.shl(number, ir.Constant(word_bits, 5))
        bits = builder.trunc(builder.lshr(arguments[0], shift), half)
        return builder.fpext(builder.bitcast(bits, ir.FloatType()), ir.DoubleType())

    return types.float64(word, half_number), read


def _pointer(_: Any, address: Any) -> Any:
    def read(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = context.get_value_type(signature.return_type)
        return builder.inttoptr(arguments[0], kind)

    return types.voidptr(address), read


# The bits of a 64-bit word read as a double: a view of the array costs more than a look-up.
as_float: Callable[[int], float] = cast(Any, intrinsic(_as_float))
# How many bits of a word are set.
bits_set: Callable[[int], int] = cast(Any, intrinsic(_bits_set))
# Position of the lowest bit that is set in a word that is not 0.
lowest_bit: Callable[[int], int] = cast(Any, intrinsic(_lowest_bit))
# The lower (0) or upper (1) half of a word read as a single float.
single: Callable[[int, int], float] = cast(Any, intrinsic(_single))
# An address as a pointer that `numba.carray` takes.
pointer: Callable[[int], Any] = cast(Any, intrinsic(_pointer))

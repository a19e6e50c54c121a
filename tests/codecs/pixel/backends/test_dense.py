# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Whatever instruction products are compiled to, they are exact."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from llvmlite import binding

from monai_compress.codecs.pixel.backends import dense as module
from monai_compress.codecs.pixel.backends.dense import OUTPUT_BLOCK, _by_loops, dense, instruction
from monai_compress.codecs.pixel.backends.lanes import PIXELS

HOST = {name for name, there in binding.get_host_cpu_features().items() if there}
WIDE = "+avx512f,+avx512bw,+avx512vl,+avx512dq,+avx2,+avx"

# name of the instruction, its registers, NUMBA_CPU_NAME, NUMBA_CPU_FEATURES, what the processor must have
VARIANTS = {
    "generic": ("pmaddwd128", "xmm", "generic", None, "sse2"),
    "old": ("pmaddwd128", "xmm", "nehalem", "+sse4.2", "sse4.2"),
    "haswell": ("pmaddwd256", "ymm", "haswell", "+avx2", "avx2"),
    # numba itself then takes the features of this processor: how wide the registers are is its choice
    "a name without features": ("pmaddwd128", "mm", "haswell", None, "avx2"),
    "skylake": ("pmaddwd512", "zmm", "skylake-avx512", WIDE, "avx512bw"),
    "cascadelake": ("vpdpbusd", "zmm", "cascadelake", f"{WIDE},+avx512vnni", "avx512vnni"),
    "features taken away": ("pmaddwd128", "xmm", "generic", "-avx512f,-avx512vnni,-avx2", "sse2"),
}


def problems():
    """Inputs (4 * steps, 16 pixels) 0 .. 255, weights (outputs, 4 * steps) -128 .. 127, biases."""
    rng = np.random.default_rng(0)
    for steps, outputs in ((1, 16), (2, 16), (15, 32), (24, 128), (128, 512)):
        inputs = 4 * steps
        bias = rng.integers(-(2**24), 2**24, outputs)
        mixed = rng.integers(0, 256, (inputs, PIXELS)), rng.integers(-128, 128, (outputs, inputs))
        yield *mixed, bias
        for x in (0, 127, 128, 255):
            for w in (-128, -127, -1, 127):
                yield np.full((inputs, PIXELS), x), np.full((outputs, inputs), w), bias
        signs = np.where(rng.random((outputs, inputs)) < 0.5, 127, -127)
        yield np.where(rng.random((inputs, PIXELS)) < 0.5, 255, 0), signs, bias
        # one product at a time: no weight and no byte is taken for another
        single = np.zeros((outputs, inputs), int)
        single[np.arange(outputs), rng.integers(0, inputs, outputs)] = 127
        yield rng.integers(0, 256, (inputs, PIXELS)), single, 0 * bias


def check(function) -> None:
    for x, w, bias in problems():
        outputs, inputs = w.shape
        packed_x = np.ascontiguousarray(x.reshape(-1, 4, PIXELS).transpose(0, 2, 1)).astype(np.uint8)
        packed_w = np.ascontiguousarray(w.reshape(outputs, -1, 4).transpose(1, 0, 2)).astype(np.int8)
        sums = np.full(outputs * PIXELS + 8, 99, np.int32)
        function(
            packed_x.reshape(-1).view("<i4").astype(np.int32),
            packed_w.reshape(-1).view("<i4").astype(np.int32),
            bias.astype(np.int32),
            inputs // 4,
            outputs,
            sums,
        )
        expected = w.astype(np.int64) @ x + bias[:, None]
        assert np.abs(expected).max() < 2**31
        assert np.array_equal(sums[:-8].reshape(outputs, PIXELS), expected), (x, w, bias)
        assert (sums[-8:] == 99).all(), "written behind the end"


@pytest.mark.parametrize("function", [dense, _by_loops], ids=["instruction", "loops"])
def test_products_are_exact(function) -> None:
    check(function)


def test_sums_are_taken_sixteen_outputs_at_a_time() -> None:
    assert OUTPUT_BLOCK == 16


def test_this_processor_is_made_use_of() -> None:
    if os.environ.get("NUMBA_CPU_NAME") or os.environ.get("NUMBA_CPU_FEATURES"):
        pytest.skip("the processor is pretended to be another one")
    best = [("avx512vnni", "vpdpbusd"), ("avx512bw", "pmaddwd512"), ("avx2", "pmaddwd256"), ("sse2", "pmaddwd128")]
    assert instruction() == next((name for feature, name in best if feature in HOST), "loops")


def test_other_processors_have_loops(monkeypatch) -> None:
    monkeypatch.setattr(module.binding, "get_process_triple", lambda: "aarch64-unknown-linux-gnu")
    assert instruction() == "loops"


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_instruction(variant: str) -> None:
    name, registers, cpu, features, needed = VARIANTS[variant]
    if needed not in HOST:
        pytest.skip(f"this processor has no {needed}")
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_CPU_FEATURES"}
    environment["NUMBA_CPU_NAME"] = cpu
    if features:
        environment["NUMBA_CPU_FEATURES"] = features
    done = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found, *assembler = done.stdout.splitlines()
    assert found == name
    mnemonic = name.rstrip("0123456789")
    lines = [line for line in assembler if line.strip().removeprefix("v").startswith(mnemonic.removeprefix("v"))]
    assert lines and all(registers in line for line in lines), f"no {mnemonic} of {registers}: {lines[:3]}"


if __name__ == "__main__":
    check(dense)
    print(instruction())
    for code in dense.inspect_asm().values():
        print(code)

# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Numbers that the format fixes are written in one place."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import monai_compress
from monai_compress.bitstream.pixel_format import INPUTS, LOGISTICS, LOGITS, MAX_SPAN, OUTPUTS
from monai_compress.codecs.pixel.neighborhood import RESIDUALS_2D, RESIDUALS_3D, SCALARS, TAPS_2D, TAPS_3D

PACKAGE = Path(monai_compress.__file__).parent
LAYERS = ("bitstream", "codecs", "networks", "streams")


def literals(path: Path):
    """Names in capitals that a module assigns a number to, with the number."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        if len(targets) != 1 or not isinstance(targets[0], ast.Name) or node.value is None:
            continue
        name = targets[0].id.lstrip("_")
        try:
            value = eval(compile(ast.Expression(node.value), str(path), "eval"), {"__builtins__": {}})
        except (NameError, TypeError, SyntaxError):
            continue  # not made of literals only
        if name.isupper() and isinstance(value, int | float):
            yield name, value


def test_no_constant_of_the_format_is_written_twice() -> None:
    places = defaultdict(list)
    for layer in LAYERS:
        for path in sorted((PACKAGE / layer).rglob("*.py")):
            for name, value in literals(path):
                places[name, value].append(str(path.relative_to(PACKAGE)))
    twice = {f"{name} = {value}": paths for (name, value), paths in places.items() if len(paths) > 1}
    assert not twice, "import it from one of the places"
    assert ("MAX_SPAN", 65535) in places and ("OUTPUTS", 16) in places


def test_the_numbers_of_the_format_page() -> None:
    assert INPUTS == len(TAPS_2D) + len(TAPS_3D) + len(RESIDUALS_2D) + len(RESIDUALS_3D) + SCALARS == 96
    assert (LOGITS, LOGISTICS, OUTPUTS) == (5, 3, 16) and LOGITS + 2 * LOGISTICS <= OUTPUTS
    assert MAX_SPAN == 2**16 - 1

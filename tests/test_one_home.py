# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Each module keeps its private names to itself, and some definitions exist only once."""

from __future__ import annotations

import ast
from pathlib import Path

import monai_compress

ROOT = Path(monai_compress.__file__).parent


def private_names_of_other_modules(tree: ast.Module) -> list[str]:
    """Return the private names that a module imports, or reads from a module of the package."""
    modules: set[str] = set()
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("monai_compress")):
            modules |= {alias.asname or alias.name for alias in node.names if alias.name.islower()}
            names += [alias.name for alias in node.names if is_private(alias.name)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            names += [f"{node.value.id}.{node.attr}"] if is_private(node.attr) else []
    return names


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def test_no_module_uses_a_private_name_of_another() -> None:
    found = {
        str(path.relative_to(ROOT)): names
        for path in sorted(ROOT.rglob("*.py"))
        if (names := private_names_of_other_modules(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert not found


def test_the_search_finds_private_names() -> None:
    tree = ast.parse("from . import nifti\nfrom .stored import _DTYPES\nnifti._open('a')\n")
    assert private_names_of_other_modules(tree) == ["_DTYPES", "nifti._open"]


def test_lps_and_ras_are_converted_in_one_module() -> None:
    def mirrors(node: ast.AST) -> bool:
        """Whether a node is ``diag([-1, -1, 1, 1])``."""
        is_diagonal = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "diag"
        return is_diagonal and ast.unparse(node.args[0]).replace(".0", "") == "[-1, -1, 1, 1]"  # type: ignore[attr-defined]

    found = [
        str(path.relative_to(ROOT))
        for path in sorted(ROOT.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if mirrors(node)
    ]
    assert found == ["dicom/geometry.py"]

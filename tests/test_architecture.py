# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The structure of the package: imports go down its layers, there are no cycles, and importing it stays cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import monai_compress

ROOT = Path(monai_compress.__file__).parent
TREE = Path(__file__).resolve().parents[1]
MAX_LINES = 400

LAYERS = {
    0: ("errors", "files", "names", "progress"),
    1: ("bitstream", "sources", "dicom", "images"),
    2: ("networks", "losses", "metrics"),
    3: ("codecs",),
    4: ("models",),
    5: ("api", "streams"),
    6: ("archive", "transforms", "data", "phantom"),
    7: ("batch", "engines"),
    8: ("report",),
    9: ("cli", "__main__"),
}
LAYER_OF = {package: layer for layer, packages in LAYERS.items() for package in packages}
# within a layer, the left package may import the right one
WITHIN_LAYER = {
    ("files", "errors"),
    ("sources", "bitstream"),
    ("dicom", "sources"),
    ("images", "sources"),
    ("images", "dicom"),
    ("images", "bitstream"),
    ("api", "streams"),
    ("transforms", "archive"),
    ("data", "transforms"),
    ("__main__", "cli"),
}


def sources():
    return sorted(ROOT.rglob("*.py"))


def imported_modules(path):
    """All modules that a file imports, by absolute name, wherever in the file."""
    package = ("monai_compress", *path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            yield module
            # "from .. import nifti" names a package only in the list
            yield from (f"{module}.{alias.name}" for alias in node.names if module == "monai_compress")


def package_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def test_imports_only_go_down():
    for path in sources():
        package = package_of(path)
        if package == "__init__":
            continue
        assert package in LAYER_OF, f"{package} has no layer: add it to this test and to docs/architecture.md"
        for module in imported_modules(path):
            name, _, rest = module.partition(".")
            target = rest.split(".")[0]
            if name != "monai_compress" or target not in LAYER_OF or target == package:
                continue
            is_allowed = LAYER_OF[target] < LAYER_OF[package] or (package, target) in WITHIN_LAYER
            assert is_allowed, f"{path.relative_to(ROOT)} imports {target}"


def test_codecs_are_known_through_their_interface_only():
    """Only the command that fits the network of the pixel codec knows that codec by name."""
    for path in sources():
        if package_of(path) != "codecs" and path.name != "fit_pixel.py":
            modules = [module for module in imported_modules(path) if module.startswith("monai_compress.codecs.")]
            interface = {"base", "options", "promise", "registry"}
            assert {module.split(".")[2] for module in modules} <= interface, path.relative_to(ROOT)


def test_files_are_short():
    tests = sorted((TREE / "tests").rglob("*.py"))
    long = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (*sources(), *tests)}
    assert not {str(path): lines for path, lines in long.items() if lines > MAX_LINES}


@pytest.mark.parametrize("package", [package for layer in (0, 1) for package in LAYERS[layer]])
def test_lower_layers_need_neither_torch_nor_monai(package):
    for path in sources():
        if package_of(path) == package:
            assert not {m.split(".")[0] for m in imported_modules(path)} & {"torch", "monai", "ignite"}


@pytest.mark.parametrize("module", ["monai_compress", "monai_compress.cli"])
def test_light_to_import(module):
    code = (
        f"import sys, {module}; sys.exit(str(sorted({{'torch', 'monai', 'numpy', 'pydicom'}} & set(sys.modules))) or 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.strip() == "[]"


@pytest.mark.parametrize("module", ["bitstream", "codecs", "api", "streams", "images", "archive", "batch"])
def test_decoding_needs_neither_torch_nor_monai(module):
    code = f"import sys, monai_compress.{module}; sys.exit(str(sorted({{'torch', 'monai'}} & set(sys.modules))) or 0)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.strip() == "[]"


def test_public_names_exist():
    for name in monai_compress.__all__:
        assert getattr(monai_compress, name) is not None
    with pytest.raises(AttributeError):
        monai_compress.nothing  # noqa: B018


def test_every_file_states_its_license():
    for path in sources():
        assert path.read_text(encoding="utf-8").split("\n")[1] == "# SPDX-License-Identifier: Apache-2.0", path


def module_name(path):
    """``monai_compress.archive.reader``, and for a package the name of the package."""
    parts = ("monai_compress", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def import_graph():
    """The modules of the package that each module imports, also inside functions and for type annotations only."""
    paths = {module_name(path): path for path in sources()}
    graph = {}
    for name, path in paths.items():
        package = path.relative_to(ROOT.parent).parent.parts
        targets = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                targets |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
                module = ".".join(part for part in (base, node.module) if part)
                members = {f"{module}.{alias.name}" for alias in node.names}
                # a name from a package is one of its modules, or is defined in the package itself
                targets |= {member if member in paths else module for member in members}
        graph[name] = (targets & set(paths)) - {name}
    return graph


def import_cycles(graph):
    """The modules in import cycles, with their imports: all others are removed one after the other."""
    left = {name: set(targets) for name, targets in graph.items()}
    while True:
        imported = set().union(*left.values()) if left else set()
        outside = {name for name, targets in left.items() if not targets or name not in imported}
        if not outside:
            return left
        left = {name: targets - outside for name, targets in left.items() if name not in outside}


def test_modules_do_not_import_each_other():
    assert import_cycles(import_graph()) == {}


def test_import_cycles_are_found():
    assert import_cycles({"a": {"b"}, "b": {"c"}, "c": set()}) == {}
    assert set(import_cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"c"}})) == {"b", "c"}

# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The README and the docs are correct: their code and commands run, their links exist, and no name is missing.

The Python blocks of a page run one after the other in one namespace, in an empty folder. The commands of the README run
on a small simulated study with the names that it uses; the two lines that install are only compared.
"""

from __future__ import annotations

import ast
import re
import shlex
from dataclasses import fields
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

import monai_compress
from monai_compress import TrainingConfig
from monai_compress.cli import main
from monai_compress.engines.config import SCHEDULERS
from monai_compress.losses import LOSSES
from monai_compress.metrics import METRICS
from monai_compress.networks import PRESETS
from monai_compress.phantom import chest_phantom, simulate_scan, write_series
from monai_compress.sources import FileKind, reason_of
from monai_compress.transforms import AUGMENTATIONS, WINDOWS

TREE = Path(__file__).resolve().parents[1]
README = TREE / "README.md"
DOCS = sorted((TREE / "docs").glob("*.md"))
PAGES = [README, *DOCS, *sorted((TREE / "examples").glob("*.md"))]
SETUP = "python3 -m venv .venv && . .venv/bin/activate && "
# options added to the commands of the README, so that they take seconds
QUICKER = {
    "train": ["--epochs", "1", "--size", "64", "--device", "cpu"],
    "demo": ["--epochs", "1", "--max-slices", "4"],
    "evaluate": ["--device", "cpu"],
    "reconstruct": ["--device", "cpu"],
    "fit-pixel": ["--minutes", "0.02"],
}


def blocks(page: Path, language: str) -> list[tuple[int, str]]:
    """Return line number and text of each fenced block of a language."""
    complete, opened, text = [], None, []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        if opened is None:
            if line.strip().startswith("```"):
                opened, text = (number, line.strip()[3:]), []
        elif line.strip() == "```":
            if opened[1] == language:
                complete.append((opened[0], "\n".join(text)))
            opened = None
        else:
            text.append(line)
    return complete


def commands(page: Path) -> list[list[str]]:
    """Return the arguments of every ``monai-compress`` command on a page."""
    lines = [line for _, text in blocks(page, "bash") for line in text.replace("\\\n", " ").splitlines()]
    words = [shlex.split(line, comments=True) for line in lines]
    return [line[1:] for line in words if line[:1] == ["monai-compress"]]


def page_name(page: Path) -> str:
    return str(page.relative_to(TREE))


@pytest.fixture
def work_folder(tmp_path, monkeypatch):
    """Change to an empty folder, except for the benchmarks, which are not installed with the package."""
    (tmp_path / "benchmarks").symlink_to(TREE / "benchmarks")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def simulate(folder: Path, patients: range) -> None:
    for patient in patients:
        scanned = simulate_scan(chest_phantom(patient), slices=1, size=64, workers=1)
        write_series(scanned, folder / f"patient{patient}", syntax="jpeg-ls", vendor="siemens")


@pytest.fixture
def study(work_folder):
    """Write the data that the README calls CT_FOLDER, OTHER_CT and scan.nii.gz."""
    simulate(work_folder / "CT_FOLDER", range(2))
    simulate(work_folder / "OTHER_CT", range(2, 3))
    volume = nib.Nifti1Image(np.full((40, 48, 2), -1000, np.int16), np.diag([-1.0, -1.0, 2.0, 1.0]))
    nib.save(volume, work_folder / "scan.nii.gz")
    return work_folder


def run_blocks(page: Path) -> None:
    namespace: dict[str, object] = {"__name__": "__main__"}
    for number, text in blocks(page, "python"):
        exec(compile("\n" * number + text, page_name(page), "exec"), namespace)


@pytest.mark.parametrize("page", DOCS, ids=page_name)
def test_python_of_the_docs_runs(page, work_folder):
    run_blocks(page)


def test_python_of_the_readme_runs(study):
    assert blocks(README, "python")
    run_blocks(README)


def test_commands_of_the_readme_run(study):
    shown = commands(README)
    assert {line[0] for line in shown} == set(main.commands)
    for line in shown:
        if line == ["demo"]:  # takes minutes; its parts run in test_cli and with the next line
            continue
        result = CliRunner().invoke(main, [*line, *QUICKER.get(line[0], [])])
        assert result.exit_code == 0, f"{line}: {result.output}"


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_commands_can_be_parsed(page, work_folder):
    (work_folder / "run").mkdir()
    (work_folder / "run/config.yaml").write_text("data: CT_FOLDER\n")
    for line in commands(page):
        with main.make_context("monai-compress", list(line)) as context:
            name, command, rest = main.resolve_command(context, line)
            command.make_context(name, rest, parent=context)


def test_setup_lines():
    lines = [line for _, text in blocks(README, "bash") for line in text.splitlines() if "pip install" in line]
    assert lines == [
        SETUP + "pip install -c constraints.txt . && monai-compress demo",
        SETUP + "pip install -c constraints.txt '.[test]' && pytest",
    ]


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_link_targets_exist(page):
    text = page.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(#[^)\s]*)?\)", text):
        if "://" in target:
            continue
        linked = (page.parent / target).resolve() if target else page
        assert linked.exists(), f"{page_name(page)} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            known = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor[1:] in known, f"{page_name(page)} links to {target}{anchor}"
    for script in re.findall(r"python (\S+\.py)", text):
        assert (TREE / script).is_file(), f"{page_name(page)} runs {script}"


def reasons_in_the_source() -> set[str]:
    """Return the reasons of errors about input and of excluded files that are literals in the source."""
    reasons = set()
    for path in Path(monai_compress.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            values = []
            if isinstance(node, ast.Call):
                values = [keyword.value for keyword in node.keywords if keyword.arg == "reason"]
                if isinstance(node.func, ast.Name) and node.func.id == "Skipped":
                    values += node.args[1:2]
            elif isinstance(node, ast.ClassDef) and path.name == "errors.py":
                values = [
                    line.value
                    for line in node.body
                    if isinstance(line, ast.Assign) and getattr(line.targets[0], "id", "") == "reason"
                ]
            for value in values:
                texts = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
                reasons |= {text.value for text in texts if isinstance(text, ast.Constant) and text.value}
    return reasons | {reason_of(kind) for kind in FileKind} - {""}


def test_every_reason_is_explained():
    reasons = reasons_in_the_source()
    assert {"cut off", "second copy", "not DICOM", "NIfTI pair"} <= reasons
    text = (TREE / "docs/data.md").read_text(encoding="utf-8")
    assert [reason for reason in sorted(reasons) if f"`{reason}`" not in text] == []


def test_every_module_is_in_the_table_of_layers():
    modules = {path.name for path in Path(monai_compress.__file__).parent.iterdir() if path.suffix == ".py"}
    modules |= {f"{path.parent.name}/" for path in Path(monai_compress.__file__).parent.glob("*/__init__.py")}
    text = (TREE / "docs/architecture.md").read_text(encoding="utf-8")
    assert [module for module in sorted(modules - {"__init__.py"}) if f"`{module}`" not in text] == []


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("evaluation", METRICS),
        ("training", [*(field.name for field in fields(TrainingConfig)), *LOSSES, *SCHEDULERS, *PRESETS]),
        ("data", [*WINDOWS, *AUGMENTATIONS]),
    ],
)
def test_every_name_is_explained(page, names):
    text = (TREE / f"docs/{page}.md").read_text(encoding="utf-8")
    assert [name for name in names if f"`{name}`" not in text] == []

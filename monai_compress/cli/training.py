# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What ``train``, ``evaluate`` and ``demo`` share: build the data sets, train, measure, write the report, tell."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from ..data import (
    Datasets,
    Item,
    build_datasets,
    data_hash,
    find_slices,
    items_of,
    read_manifest,
    split_shares,
    summarise_skipped,
)
from ..engines import TrainingConfig, choose_device, evaluate, evaluate_slice, train
from ..errors import DatasetError, ModelMismatch, ModelNotFound, Skipped
from ..files import output_error
from ..metrics import choose_examples
from ..models import CONFIG_NAME as MODEL_CONFIG_NAME
from ..models import WEIGHTS_NAME, Model, load_model
from ..networks import build_network
from ..report import Example, write_report
from ..transforms import augmentation_names, window_range
from .console import Console
from .options import RESULTS, write_config

MANIFEST_NAME = "manifest.json"


def run_training(
    console: Console,
    ctx: click.Context,
    *,
    resume: bool = False,
    title: str = "Autoencoder on CT",
    notes: Sequence[str] = (),
    **config_remark: str,
) -> None:
    """Train, measure on the held-out patients, write all into the output folder and tell the figures.

    Nothing is written before the options are checked and the scans are loaded.

    Args:
        ctx: the context of ``monai-compress train``, with its options.
        resume: go on with the run in the output folder, on its own split.
        title: of the report.
        notes: sentences for the top of the report and the terminal.
        config_remark: ``remark`` of ``write_config``.
    """
    started = time.perf_counter()
    options = ctx.params
    output = Path(options["output"])
    config = _checked(options)
    manifest = output / MANIFEST_NAME
    datasets = _datasets(console, options, manifest if resume and manifest.exists() else None)
    if not resume:
        _clear(output)
        write_config(output, ctx, **config_remark)
        datasets.write_manifest(manifest)
    _tell_notes(console, (*notes, *datasets.notes), datasets.skipped)
    counts = {
        name: f"{_count(len(items), 'slice')} of {_count(_patients(items), 'patient')}"
        for name, items in datasets.items.items()
        if items
    }
    console.say("; ".join(f"{name}: {count}" for name, count in counts.items()))
    try:
        with console.progress("training") as update:
            per_epoch = math.ceil(len(datasets.items["train"]) / config.batch_size)
            result = train(
                datasets,
                output,
                config,
                resume=resume,
                progress=lambda done, total, loss: update(
                    done, total, f"epoch {math.ceil(done / per_epoch)}/{config.epochs}  loss {loss:.3g}"
                ),
            )
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(f"stopped; 'monai-compress train -o {output} --resume' goes on") from error
    held_out = datasets.items.get("test") or datasets.items["val"]
    facts = {
        "held_out": options["split_by"] == "patient",
        "data_hash": datasets.manifest["data_hash"],
        "best_epoch": result.best_epoch,
        "split": counts,
    }
    _measure(
        console,
        result.model,
        held_out,
        output,
        title=title,
        history=result.history,
        facts=facts,
        configuration=_readable(options),
        notes=(*notes, *datasets.notes),
        skipped=datasets.skipped,
        redact_paths=options["redact_paths"],
        started=started,
    )


def _checked(options: dict[str, Any]) -> TrainingConfig:
    """The settings of the run; what cannot work is wrong usage and told before anything is read or written.

    Raises:
        click.UsageError: a setting out of its range, or a name that is none.
    """
    try:
        config = TrainingConfig(**{f.name: options[f.name] for f in fields(TrainingConfig)})
        config.check_size(options["size"])
        window_range(options["window"])
        augmentation_names(_augmentations(options))
        build_network(config.network)
        if split_shares(options["fractions"]).get("val", 0) == 0:
            raise ValueError("the second fraction is that of validation, which chooses the best epoch: above 0, please")
    except (ValueError, ModelMismatch) as error:
        raise click.UsageError(str(error)) from error
    if options["cache"] == "disk" and not options["cache_dir"]:
        raise click.UsageError("--cache disk needs a folder: --cache-dir DIR")
    return config


def _clear(folder: Path) -> None:
    """Take away what an earlier run left: its model beside a new split would be measured on what it was trained on.

    Only files that a run writes are taken away, by their names; folders stay.

    Raises:
        OutputError: one cannot be taken away.
    """
    inside = [folder / "model" / name for name in (MODEL_CONFIG_NAME, WEIGHTS_NAME)]
    for path in (*(folder / name for name in RESULTS), *inside, *(folder / "tensorboard").glob("events.out.*")):
        try:
            if not path.is_dir():
                path.unlink(missing_ok=True)
        except OSError as error:
            raise output_error(path, error) from error


def _augmentations(options: dict[str, Any]) -> bool | list[str]:
    named = options["augment"]
    return False if named == "none" else [name.strip() for name in named.split(",")]


def run_evaluation(
    console: Console,
    model_path: Path,
    data: Path | None,
    output: Path,
    patients_csv: Path | None,
    device: str,
    redact_paths: bool,
    held_out: bool = False,
) -> None:
    """Measure a trained model on ``data``, or on the held-out patients of its run, and write the report.

    With ``held_out``, ``data`` is where the scans of the run lie now.
    """
    started = time.perf_counter()
    model = load_model(model_path, choose_device(device))
    if data is None or held_out:
        items, facts, notes, skipped = _held_out_of_run(model_path, data)
    else:
        with console.stages() as progress:
            inventory = find_slices(data, patients_csv=patients_csv, progress=progress)
        items, facts, notes, skipped = inventory.items, {}, inventory.notes, inventory.skipped
        if not items:
            reasons = ", ".join(f"{reason}: {count}" for reason, count in inventory.summary().items())
            raise DatasetError(f"no usable CT slice ({reasons or 'there are no files'})", where=str(data))
    _tell_notes(console, notes, skipped)
    _measure(
        console,
        model,
        items,
        output,
        title="Autoencoder on CT",
        history=(),
        facts=facts,
        configuration=model.training.get("settings", {}),
        notes=notes,
        skipped=skipped,
        redact_paths=redact_paths,
        started=started,
    )


def _held_out_of_run(
    run: Path, moved_to: Path | None
) -> tuple[Sequence[Item], dict[str, Any], Sequence[str], Sequence[Skipped]]:
    manifest = run / MANIFEST_NAME
    if not manifest.is_file():
        raise ModelNotFound(
            f"{run} is a model without a run: name the scans, 'monai-compress evaluate {run} CT_FOLDER'"
        )
    recorded = read_manifest(manifest)
    splits = items_of(recorded, [str(moved_to)] if moved_to else recorded["roots"], str(manifest))
    items = splits.get("test") or splits["val"]
    facts = {"held_out": recorded["split_by"] == "patient", "data_hash": recorded["data_hash"]}
    notes = list(recorded["notes"])
    try:
        hashed = data_hash(item for part in splits.values() for item in part)
    except DatasetError as error:
        raise DatasetError(
            f"{error.detail}; were they moved? 'monai-compress evaluate {run} FOLDER --held-out'"
        ) from error
    if hashed != recorded["data_hash"]:
        notes.append("some files changed since the run: their data hash differs")
    skipped = [Skipped(entry["image"], entry["reason"], entry["detail"]) for entry in recorded["skipped"]]
    return items, facts, notes, skipped


def _datasets(console: Console, options: dict[str, Any], manifest: Path | None) -> Datasets:
    share = sum(options["fractions"])
    fractions = (*options["fractions"], 1 - share) if share < 1 - 1e-9 else options["fractions"]
    with console.stages() as progress:
        return build_datasets(
            options["data"],
            spatial_size=options["size"],
            window=options["window"],
            fit=options["fit"],
            fractions=fractions,
            seed=options["seed"],
            split_by=options["split_by"],
            patients_csv=options["patients_csv"],
            max_slices=options["max_slices"],
            augment=_augmentations(options),
            cache=None if options["cache"] == "none" else options["cache"],
            cache_dir=options["cache_dir"],
            manifest=manifest,
            progress=progress,
        )


def _measure(
    console: Console,
    model: Model,
    items: Sequence[Item],
    output: Path,
    *,
    title: str,
    history: Sequence[dict[str, float]],
    facts: dict[str, Any],
    configuration: dict[str, Any],
    notes: Sequence[str],
    skipped: Sequence[Skipped],
    redact_paths: bool,
    started: float,
) -> None:
    with console.progress("measuring") as update:
        evaluation = evaluate(model, items, progress=update)
    examples = []
    for name, index in choose_examples(evaluation.rows):
        shown = evaluate_slice(model, evaluation.items[index])
        made = shown.reconstruction
        examples.append(Example(name, shown.original, made.image, made.unit, shown.row))
    size = model.preprocessing.spatial_size
    page = write_report(
        output,
        title=title,
        rows=evaluation.rows,
        summary=evaluation.summary,
        examples=examples,
        history=history,
        configuration=configuration,
        facts={
            "input_values": math.prod(size),
            "latent_values": math.prod(model.network.latent_shape(size)),
            "weights": sum(weight.numel() for weight in model.network.parameters()),
            "weights_hash": model.weights_hash,
            "minutes": round((time.perf_counter() - started) / 60, 2),
            **facts,
        },
        notes=notes,
        skipped=(*skipped, *evaluation.skipped),
        redact_paths=redact_paths,
    )
    _tell_notes(console, (), evaluation.skipped)
    _tell(console, evaluation.summary, model, page)


def _tell_notes(console: Console, notes: Sequence[str], skipped: Sequence[Skipped]) -> None:
    for note in notes:
        console.warn(note)
    if skipped:
        reasons = ", ".join(f"{reason}: {count}" for reason, count in summarise_skipped(skipped).items())
        console.warn(f"left out {_count(len(skipped), 'file')} ({reasons})")


def _tell(console: Console, summary: dict[str, Any], model: Model, page: Path) -> None:
    by_patient = summary["patients"]
    unit = summary["unit"] if summary["unit"] == "HU" else "gray levels"
    rows = []
    for name, label, digits in (
        ("psnr_db", "PSNR, dB", 2),
        ("ssim", "SSIM", 4),
        ("ms_ssim", "MS-SSIM", 4),
        ("rmse_hu", f"RMSE, {unit}", 1),
        ("rmse_body_hu", "RMSE in the body, HU", 1),
        ("bias_body_hu", "bias in the body, HU", 2),
    ):
        if (entry := by_patient.get(name)) and entry["mean"] is not None:
            spread = "" if entry["std"] is None else f"{entry['std']:.{digits}f}"
            rows.append([label, f"{entry['mean']:.{digits}f}", spread])
    counts = summary["counts"]
    console.table(
        f"{_count(counts['slices'], 'slice')} of {_count(counts['patients'], 'patient')}",
        ["metric", "mean by patient", "std"],
        rows,
    )
    size = model.preprocessing.spatial_size
    ratio = model.network.latent_ratio(size)
    latents = math.prod(model.network.latent_shape(size))
    text = f"{math.prod(size):,} input values to {latents:,} latent values a slice ({ratio:g}:1)\nreport: {page}"
    # as the report has it: its worst slices carry no folders, and with --redact-paths no file names
    public = json.loads((page.parent / "metrics.json").read_text(encoding="utf-8"))["summary"]
    console.result(
        {"report": str(page), "summary": public, "latent_values": latents, "input_values": math.prod(size)}, text
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _patients(items: Sequence[Item]) -> int:
    return len({item.patient for item in items})


def _readable(options: dict[str, Any]) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}

# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Steps shared by ``train``, ``evaluate`` and ``demo``: build data sets, train, measure, write and print results."""

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
    summarize_skipped,
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
from .config import write_config
from .console import Console
from .formatting import count_text
from .outputs import RESULTS

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
    """Train, measure on the held-out patients, write everything to the output folder and print the figures.

    Nothing is written until the options have been checked and the scans loaded.

    Args:
        console: for progress, messages and the result.
        ctx: the context of ``monai-compress train``, with its options.
        resume: continue the run in the output folder, on its own split.
        title: title of the report.
        notes: sentences for the top of the report and the terminal.
        config_remark: ``remark`` of ``write_config``.
    """
    started = time.perf_counter()
    options = ctx.params
    output = Path(options["output"])
    config = _check_options(options)
    manifest = output / MANIFEST_NAME
    datasets = _build_datasets(console, options, manifest if resume and manifest.exists() else None)
    if not resume:
        _remove_results(output)
        write_config(output, ctx, **config_remark)
        datasets.write_manifest(manifest)
    _print_notes(console, (*notes, *datasets.notes), datasets.skipped)
    counts = {
        name: f"{count_text(len(items), 'slice')} of {count_text(_patients(items), 'patient')}"
        for name, items in datasets.items.items()
        if items
    }
    console.message("; ".join(f"{name}: {count}" for name, count in counts.items()))
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
        raise KeyboardInterrupt(f"stopped; 'monai-compress train -o {output} --resume' continues the run") from error
    held_out = datasets.items.get("test") or datasets.items["val"]
    properties = {
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
        properties=properties,
        configuration=_readable(options),
        notes=(*notes, *datasets.notes),
        skipped=datasets.skipped,
        redact_paths=options["redact_paths"],
        started=started,
    )


def _check_options(options: dict[str, Any]) -> TrainingConfig:
    """Return the settings of the run, checked before anything is read or written.

    Raises:
        click.UsageError: an option is out of its range, or names something unknown.
    """
    try:
        config = TrainingConfig(**{f.name: options[f.name] for f in fields(TrainingConfig)})
        config.check_spatial_size(options["size"])
        window_range(options["window"])
        augmentation_names(_augmentations(options))
        build_network(config.network)
        if split_shares(options["fractions"]).get("val", 0) == 0:
            raise ValueError("the second fraction must be above 0: the validation split selects the best epoch")
    except (ValueError, ModelMismatch) as error:
        raise click.UsageError(str(error)) from error
    if options["cache"] == "disk" and not options["cache_dir"]:
        raise click.UsageError("--cache disk needs a folder: --cache-dir DIR")
    return config


def _remove_results(folder: Path) -> None:
    """Remove the files of an earlier run.

    With a new split, the old model would be measured on its own training data. Only files with the names
    that a run writes are removed; folders stay.

    Raises:
        OutputError: a file cannot be removed.
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

    With ``held_out``, ``data`` is the folder to which the scans of the run were moved.
    """
    started = time.perf_counter()
    model = load_model(model_path, choose_device(device))
    if data is None or held_out:
        items, properties, notes, skipped = _held_out_of_run(model_path, data)
    else:
        with console.stages() as progress:
            inventory = find_slices(data, patients_csv=patients_csv, progress=progress)
        items, properties, notes, skipped = inventory.items, {}, inventory.notes, inventory.skipped
        if not items:
            reasons = ", ".join(f"{reason}: {count}" for reason, count in inventory.summary().items())
            raise DatasetError(
                f"there is no usable CT slice ({reasons or 'the folder holds no files'})", where=str(data)
            )
    _print_notes(console, notes, skipped)
    _measure(
        console,
        model,
        items,
        output,
        title="Autoencoder on CT",
        history=(),
        properties=properties,
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
            f"{run} is a model without its training run; name the scans: 'monai-compress evaluate {run} CT_FOLDER'"
        )
    recorded = read_manifest(manifest)
    splits = items_of(recorded, [str(moved_to)] if moved_to else recorded["roots"], str(manifest))
    items = splits.get("test") or splits["val"]
    properties = {"held_out": recorded["split_by"] == "patient", "data_hash": recorded["data_hash"]}
    notes = list(recorded["notes"])
    try:
        hashed = data_hash(item for part in splits.values() for item in part)
    except DatasetError as error:
        raise DatasetError(
            f"{error.detail}; if the scans were moved, use 'monai-compress evaluate {run} FOLDER --held-out'"
        ) from error
    if hashed != recorded["data_hash"]:
        notes.append("some files have changed since the training: their hash differs from the recorded one")
    skipped = [Skipped(entry["image"], entry["reason"], entry["detail"]) for entry in recorded["skipped"]]
    return items, properties, notes, skipped


def _build_datasets(console: Console, options: dict[str, Any], manifest: Path | None) -> Datasets:
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
    properties: dict[str, Any],
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
        recon = shown.recon
        examples.append(Example(name, shown.original, recon.image, recon.unit, shown.row))
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
            **properties,
        },
        notes=notes,
        skipped=(*skipped, *evaluation.skipped),
        redact_paths=redact_paths,
    )
    _print_notes(console, (), evaluation.skipped)
    _print_summary(console, evaluation.summary, model, page)


def _print_notes(console: Console, notes: Sequence[str], skipped: Sequence[Skipped]) -> None:
    for note in notes:
        console.warn(note)
    if skipped:
        reasons = ", ".join(f"{reason}: {count}" for reason, count in summarize_skipped(skipped).items())
        console.warn(f"excluded {count_text(len(skipped), 'file')} ({reasons})")


def _print_summary(console: Console, summary: dict[str, Any], model: Model, page: Path) -> None:
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
    console.print_table(
        f"{count_text(counts['slices'], 'slice')} of {count_text(counts['patients'], 'patient')}",
        ["metric", "mean over patients", "std"],
        rows,
    )
    size = model.preprocessing.spatial_size
    ratio = model.network.latent_ratio(size)
    latents = math.prod(model.network.latent_shape(size))
    text = f"{math.prod(size):,} input values to {latents:,} latent values per slice ({ratio:g}:1)\nreport: {page}"
    # taken from the report, because the report contains no folders, and with --redact-paths no file names
    public = json.loads((page.parent / "metrics.json").read_text(encoding="utf-8"))["summary"]
    console.print_result(
        {"report": str(page), "summary": public, "latent_values": latents, "input_values": math.prod(size)}, text
    )


def _patients(items: Sequence[Item]) -> int:
    return len({item.patient for item in items})


def _readable(options: dict[str, Any]) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}

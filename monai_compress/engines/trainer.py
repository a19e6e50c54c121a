# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The training run: MONAI's supervised trainer and evaluator, with the image as its own label."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from ignite.metrics import Average
from monai.data import DataLoader
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.handlers import LrScheduleHandler, ValidationHandler
from monai.inferers import SimpleInferer
from monai.transforms import Randomizable
from monai.utils import set_determinism
from torch import Tensor, nn
from torch.optim import Adam, Optimizer, lr_scheduler
from torch.utils.data import DistributedSampler

from ..data import Datasets
from ..errors import TrainingError
from ..losses import ReconstructionLoss
from ..metrics import psnr, ssim
from ..models import Model, Preprocessing, load_model
from ..networks import build_network
from .config import TrainingConfig, choose_device
from .run_state import RunState

_LOGGER = logging.getLogger(__name__)
_LOGGER.addHandler(logging.NullHandler())

TrainingProgress = Callable[[int, int, float], None]
"""Called after each step with steps done, steps in all, and the loss."""

DIVERGED = "training diverged: its numbers are no longer finite; use a lower learning rate. The best weights are kept"

PSNR_CEILING_DB = 100.0
"""The PSNR of a slice that is reconstructed exactly, which is infinite: counted as this, so that the mean is finite."""


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training run.

    Args:
        model: the best weights by validation PSNR.
        history: one row for each epoch, as in ``history.csv``.
        best_epoch: the epoch of the model.
        folder: of the run.
    """

    model: Model
    history: list[dict[str, float]]
    best_epoch: int
    folder: Path


class AutocastInferer(SimpleInferer):
    """An inferer that runs the network in bfloat16 where autocast allows, on any device; it needs no loss scaling."""

    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        with torch.autocast(inputs.device.type, dtype=torch.bfloat16):
            return super().__call__(inputs, network, *args, **kwargs)


class EpochSeeds:
    """Seeds of order and augmentation by (seed, epoch), so that a resumed run has the same training curve."""

    def __init__(self, seed: int, augmentation: Any) -> None:
        self.seed = seed
        self.epoch = 0
        self.augmentation = augmentation

    def attach(self, trainer: Engine) -> None:
        """Seed at the start of each epoch of ``trainer``."""
        trainer.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, trainer: Engine) -> None:
        self.epoch = trainer.state.epoch
        self._seed(0)

    def seed_worker(self, worker: int) -> None:
        """Seed the random transforms of a loading process; workers count from 0."""
        self._seed(worker + 1)

    def _seed(self, process: int) -> None:
        if isinstance(self.augmentation, Randomizable):
            state = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch * 1_009 + process)
            self.augmentation.set_random_state(seed=int(torch.randint(2**31, (), generator=state)))


class EpochMeter:
    """Measures each epoch, reports the progress, and stops the run at the first loss that is not finite.

    Args:
        steps: of the whole run.
        progress: see `TrainingProgress`.
    """

    def __init__(self, steps: int, progress: TrainingProgress | None) -> None:
        self.steps = steps
        self.progress = progress

    def attach(self, trainer: Engine) -> None:
        """Attach to ``trainer``, before the validation, whose time then does not count as training."""
        trainer.add_event_handler(Events.EPOCH_STARTED, self._start)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self._step)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._end)

    def means(self) -> tuple[float, float]:
        """Return the mean training loss by slice, and the slices per second."""
        return self._loss_sum / self._slices, self._slices / self._training_s

    def seconds(self) -> float:
        """Return the seconds since the start of the epoch."""
        return time.perf_counter() - self._started

    def _start(self) -> None:
        self._started, self._slices, self._loss_sum = time.perf_counter(), 0, 0.0

    def _step(self, trainer: Engine) -> None:
        output: Any = trainer.state.output
        loss, slices = output["loss"].item(), len(output["image"])
        if not math.isfinite(loss):
            raise TrainingError(DIVERGED)
        self._slices += slices
        self._loss_sum += slices * loss
        if self.progress is not None:
            self.progress(trainer.state.iteration, self.steps, loss)

    def _end(self) -> None:
        self._training_s = self.seconds()


def autoencoder_batch(
    batch: dict[str, Tensor], device: torch.device, non_blocking: bool, **_: Any
) -> tuple[Tensor, Tensor]:
    """Return image and label of a batch, which are the same for an autoencoder."""
    image = batch["image"].to(device, non_blocking=non_blocking)
    return image, image


def train(
    datasets: Datasets,
    folder: str | Path,
    config: TrainingConfig | None = None,
    *,
    resume: bool = False,
    progress: TrainingProgress | None = None,
) -> TrainingResult:
    """Train an autoencoder and keep its best weights.

    After Ctrl-C or an error the folder holds the state of the last whole epoch; ``resume=True`` continues from it with
    the same training curve as an uninterrupted run.

    Args:
        datasets: of ``build_datasets``; ``train`` and ``val`` are used.
        folder: of the run, created if missing. Its files are listed in ``run_state``.
        config: settings, by default those of the classic autoencoder.
        resume: continue the run in ``folder``.
        progress: called after each step with steps done, steps in all, and the loss.

    Returns:
        The best model, the history and the folder.

    Raises:
        TrainingError: the loss is no longer finite, or the run cannot be resumed.
        OutputError: the folder cannot be written.
        ValueError: an unknown device, or settings that do not fit the data set.
    """
    config = config or TrainingConfig()
    config.check_spatial_size(datasets.spatial_size)
    folder = Path(folder)
    device = choose_device(config.device)
    set_determinism(seed=config.seed)
    network = build_network(config.network)
    if network.spatial_dims != 2:
        raise ValueError(f"the data set holds slices, but this network expects {network.spatial_dims}D images")
    # channels last: on the CPU convolutions of float32 then train up to twice as fast (benchmarks/loading.py)
    network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = Adam(network.parameters(), lr=config.learning_rate)
    seeds = EpochSeeds(config.seed, getattr(datasets.train, "transform", None))
    loader = _training_loader(datasets, config, seeds, device)
    scheduler = _scheduler(config, optimizer, len(loader))
    preprocessing = Preprocessing(datasets.spatial_size, datasets.window, datasets.fit)
    state = RunState(folder, config, preprocessing, _identity(datasets), network, optimizer, scheduler)
    if resume:
        state.load()
    else:
        state.save()  # a run that is interrupted in its first epoch can be resumed, and a full disk is reported at once
    loss = ReconstructionLoss(config.loss, network.spatial_dims)
    inferer = AutocastInferer() if config.amp else SimpleInferer()
    validator = _validator(datasets, config, network, loss, inferer, device)
    trainer = SupervisedTrainer(
        device=device,
        max_epochs=config.epochs,
        train_data_loader=loader,
        network=network,
        optimizer=optimizer,
        loss_function=loss,
        prepare_batch=autoencoder_batch,
        inferer=inferer,
        train_handlers=[seeds],
        decollate=False,
    )
    # ignite logs every error that it passes on, but the caller reports it already
    trainer.logger = validator.logger = _LOGGER
    # the order of these is the order in which they run: measure, validate, record, step the schedule, write
    meter = EpochMeter(config.epochs * len(loader), progress)
    meter.attach(trainer)
    ValidationHandler(1, validator).attach(trainer)

    @trainer.on(Events.EPOCH_COMPLETED)
    def record() -> None:
        train_loss, slices_per_s = meter.means()
        state.record(
            {
                "epoch": trainer.state.epoch,
                "train_loss": train_loss,
                **{name: float(value) for name, value in validator.state.metrics.items()},
                "lr": float(optimizer.param_groups[0]["lr"]),
                "seconds": meter.seconds(),
                "slices_per_s": slices_per_s,
            }
        )

    if scheduler is not None:
        _attach_scheduler(trainer, config, scheduler, validator)

    @trainer.on(Events.EPOCH_COMPLETED)
    def write() -> None:
        state.write()
        if state.stalled:
            trainer.terminate()

    trainer.state.epoch, trainer.state.iteration = state.epoch, state.epoch * len(loader)
    if state.epoch < config.epochs and not state.stalled:
        try:
            trainer.run()
        finally:
            state.close()
    return TrainingResult(load_model(folder / "model", device), state.history, state.best_epoch, folder)


def _identity(datasets: Datasets) -> str:
    """Return a hash of everything that must be the same for a resumed run: files, split, preparation, augmentation."""
    kept = {name: datasets.manifest[name] for name in ("data_hash", "splits", "size", "window", "fit", "augment")}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _training_loader(datasets: Datasets, config: TrainingConfig, seeds: EpochSeeds, device: torch.device) -> DataLoader:
    # one replica: of the distributed sampler only its order by (seed, epoch) is used, which MONAI's trainer sets
    sampler: DistributedSampler[Any] = DistributedSampler(
        datasets.train, num_replicas=1, rank=0, shuffle=True, seed=config.seed
    )
    return DataLoader(
        datasets.train,
        batch_size=config.batch_size,
        sampler=sampler,
        num_workers=config.workers,
        worker_init_fn=seeds.seed_worker,
        pin_memory=device.type == "cuda",
    )


def _validator(
    datasets: Datasets,
    config: TrainingConfig,
    network: nn.Module,
    loss: nn.Module,
    inferer: SimpleInferer,
    device: torch.device,
) -> SupervisedEvaluator:
    if datasets.val is None:
        raise ValueError("training needs a validation split to choose the best epoch; give it a fraction above 0")
    validator = SupervisedEvaluator(
        device=device,
        val_data_loader=DataLoader(datasets.val, batch_size=config.batch_size, num_workers=0),
        network=network,
        prepare_batch=autoencoder_batch,
        inferer=inferer,
        decollate=False,
    )

    def attach(name: str, metric: Callable[[Tensor, Tensor], Tensor]) -> None:
        def values(output: dict[str, Tensor]) -> Tensor:
            if not torch.isfinite(output["pred"]).all():
                raise TrainingError(DIVERGED)
            # ignite averages over the first axis of a matrix: one row for each image
            return metric(output["pred"], output["label"]).reshape(-1, 1)

        Average(values).attach(validator, name)

    attach("val_loss", lambda pred, label: loss(pred, label).expand(len(pred)))
    attach("val_psnr_db", lambda pred, label: psnr(pred, label).clamp(max=PSNR_CEILING_DB))
    attach("val_ssim", ssim)
    return validator


def _scheduler(config: TrainingConfig, optimizer: Optimizer, steps_per_epoch: int) -> Any:
    if config.scheduler == "plateau":
        return lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=3)
    if config.scheduler == "cosine":
        return lr_scheduler.CosineAnnealingLR(optimizer, T_max=config.epochs)
    if config.scheduler == "one-cycle":
        steps = config.epochs * steps_per_epoch
        return lr_scheduler.OneCycleLR(optimizer, config.learning_rate, total_steps=steps, pct_start=0.2)
    return None


def _attach_scheduler(trainer: Engine, config: TrainingConfig, scheduler: Any, validator: Engine) -> None:
    if config.scheduler == "plateau":
        handler = LrScheduleHandler(
            scheduler, print_lr=False, step_transform=lambda engine: float(validator.state.metrics["val_loss"])
        )
    else:
        handler = LrScheduleHandler(scheduler, print_lr=False, epoch_level=config.scheduler != "one-cycle")
    handler.attach(trainer)

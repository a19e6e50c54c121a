# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The files of a training run, written after every epoch, each of them atomically.

::

    RUN/model/          the best weights so far, see monai_compress.models
    RUN/last.pt         the state to resume from: weights, Adam, schedule, history
    RUN/history.csv     one row for each epoch
    RUN/tensorboard/    the same for TensorBoard
"""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from tensorboardX import SummaryWriter
from torch.optim import Optimizer

from ..errors import TrainingError
from ..files import output_error, write_atomic
from ..models import Preprocessing, save_model
from ..networks import AutoEncoder
from .config import FREE_ON_RESUME, TrainingConfig

LAST_NAME = "last.pt"
HISTORY_NAME = "history.csv"
TENSORBOARD_NAME = "tensorboard"
FORMAT = "monai_compress run 1"

Row = dict[str, float]


class RunState:
    """The state of a run: its history, and everything that is needed to resume it.

    Args:
        folder: of the run.
        config: its settings.
        preprocessing: stored with the model.
        identity: hash of the data set and of how it was made, so that a run is not resumed on another one.
        network, optimizer, scheduler: what is saved and restored.
    """

    def __init__(
        self,
        folder: Path,
        config: TrainingConfig,
        preprocessing: Preprocessing,
        identity: str,
        network: AutoEncoder,
        optimizer: Optimizer,
        scheduler: Any,
    ) -> None:
        self.folder = folder
        self.config = config
        self.preprocessing = preprocessing
        self.identity = identity
        self.network = network
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.history: list[Row] = []
        self._writer: SummaryWriter | None = None

    @property
    def epoch(self) -> int:
        """The number of epochs that are completed."""
        return len(self.history)

    @property
    def best_epoch(self) -> int:
        """The epoch of the highest validation PSNR, the first where several are equal; 0 before the first epoch."""
        return int(max(self.history, key=lambda row: row["val_psnr_db"])["epoch"]) if self.history else 0

    @property
    def stalled(self) -> bool:
        """Whether early stopping is due."""
        patience = self.config.early_stopping
        return bool(patience) and self.epoch - self.best_epoch >= patience

    def record(self, row: Row) -> None:
        """Add an epoch to the history."""
        self.history.append(row)

    def write(self) -> None:
        """Write the files of the last recorded epoch: the best model first, then the state that refers to it."""
        row = self.history[-1]
        if self.best_epoch == self.epoch:
            training = {"best_epoch": self.epoch, "settings": asdict(self.config), "metrics": row}
            save_model(self.folder / "model", self.network, self.preprocessing, training)
        self.save()
        write_atomic(self.folder / HISTORY_NAME, history_csv(self.history))
        try:
            self._write_tensorboard(row)
        except OSError as error:
            raise output_error(self.folder / TENSORBOARD_NAME, error) from error

    def _write_tensorboard(self, row: Row) -> None:
        if self._writer is None:
            # drops what an interrupted run wrote of an epoch that is now repeated
            self._writer = SummaryWriter(str(self.folder / TENSORBOARD_NAME), purge_step=self.epoch)
        for name, value in row.items():
            if name != "epoch":
                self._writer.add_scalar(name, value, self.epoch)
        self._writer.flush()

    def close(self) -> None:
        """Close TensorBoard's file."""
        if self._writer is not None:
            self._writer.close()

    def save(self) -> None:
        """Replace ``last.pt`` by the current state."""
        buffer = io.BytesIO()
        state = {
            "format": FORMAT,
            "config": asdict(self.config),
            "identity": self.identity,
            "history": self.history,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict() if self.scheduler else None,
        }
        torch.save(state, buffer)
        write_atomic(self.folder / LAST_NAME, buffer.getvalue())

    def load(self) -> None:
        """Restore the state in ``last.pt``.

        Raises:
            TrainingError: it is missing, damaged, or of a run with other settings or data.
        """
        path = self.folder / LAST_NAME
        try:
            # weights_only: a checkpoint is data, it must not be able to run code
            with path.open("rb") as file:  # torch opens no path that is not UTF-8
                state = torch.load(file, map_location="cpu", weights_only=True)
        except FileNotFoundError as error:
            raise TrainingError(f"nothing to resume: {path} does not exist; start without --resume") from error
        except Exception as error:  # torch has no common class for the errors of a damaged file
            raise TrainingError(f"{path} is damaged and cannot be resumed ({error}); start a new run") from error
        if not isinstance(state, dict) or state.get("format") != FORMAT:
            raise TrainingError(f"{path} is not a state of this version: expected format {FORMAT!r}")
        self._check_same_run(state)
        try:
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            if self.scheduler:
                self.scheduler.load_state_dict(state["scheduler"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise TrainingError(f"{path} does not fit the network or the optimizer: {error}") from error
        self.history = state["history"]

    def _check_same_run(self, state: dict[str, Any]) -> None:
        free = set(FREE_ON_RESUME)
        if self.config.scheduler in ("plateau", "constant"):
            free.add("epochs")  # their training curves do not depend on the number of epochs
        new, old = asdict(self.config), state["config"]
        changed = [
            f"{name} was {old.get(name)!r}, now {new[name]!r}"
            for name in new
            if name not in free and old.get(name) != new[name]
        ]
        if changed:
            raise TrainingError(f"cannot resume {self.folder} with other settings: {'; '.join(changed)}")
        if state["identity"] != self.identity:
            raise TrainingError(
                f"cannot resume {self.folder}: files, split, size, window, fit or augmentation have changed"
            )


def history_csv(history: list[Row]) -> str:
    """Return the history as CSV, one line for each epoch.

    >>> print(history_csv([{"epoch": 1, "train_loss": 0.25}]), end="")
    epoch,train_loss
    1,0.25
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()

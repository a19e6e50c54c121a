# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Training and evaluation on MONAI's ignite engines.

Where to go next: ``config.py`` has the settings of a training run, ``trainer.py`` the run itself, ``run_state.py`` its
files and how it resumes after an interruption, ``evaluation.py`` the metrics of a trained model on held-out slices.
"""

from __future__ import annotations

from .config import TrainingConfig, choose_device
from .evaluation import Evaluation, ReconSlice, SliceResult, evaluate, evaluate_slice, reconstruct_slice
from .trainer import TrainingResult, train

__all__ = [
    "Evaluation",
    "ReconSlice",
    "SliceResult",
    "TrainingConfig",
    "TrainingResult",
    "choose_device",
    "evaluate",
    "evaluate_slice",
    "reconstruct_slice",
    "train",
]

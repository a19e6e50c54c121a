# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The command line: one command for each task, with the names of the Python functions.

Each command is in a module of its own name and imports heavy packages only when it runs, so that ``--help`` is fast.

The exit codes are in ``exit_codes``. With ``--json`` an error is also printed to standard output, as
``{"error": NAME, "message": SENTENCE}``.
"""

from __future__ import annotations

import click

from .. import __version__
from .benchmark import benchmark
from .compress import compress
from .console import ErrorGroup
from .decompress import decompress
from .demo import demo
from .evaluate import evaluate
from .fit_pixel import fit_pixel
from .info import info
from .inspect import inspect
from .list import list_files
from .pack import pack
from .reconstruct import reconstruct
from .train import train
from .unpack import unpack
from .verify import verify

EPILOG = """\b
Examples:
  monai-compress demo
  monai-compress compress DICOM_FOLDER -o scan.mcz
  monai-compress decompress scan.mcz -o scan.nii.gz
  monai-compress pack STUDIES -o archives
  monai-compress unpack archives -o STUDIES
  monai-compress train CT_FOLDER -o run --network compact
  monai-compress evaluate run
  monai-compress reconstruct run scan.nii.gz -o out
  monai-compress info CT_FOLDER

\b
Exit codes:
  0    finished, and nothing failed
    1    an error occurred, or some of the files failed
    2    the command was used incorrectly

  130  interrupted by Ctrl-C
"""


@click.group(cls=ErrorGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Compress CT scans with networks trained on CT, and check that the scans are preserved."""


for command in (
    demo,
    compress,
    decompress,
    pack,
    unpack,
    list_files,
    inspect,
    verify,
    fit_pixel,
    benchmark,
    train,
    evaluate,
    reconstruct,
    info,
):
    main.add_command(command)

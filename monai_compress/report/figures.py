# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The images and charts of a report as PNG: windowed slices, differences, training curves, one plot of all patients.

matplotlib is used without ``pyplot``, which has global state and is not thread-safe. Each chart is drawn twice, for a
light and for a dark page, on a transparent background.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..names import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_PATIENTS = 40  # in the plot of patients: more rows would not be legible
MAX_SIDE = 1024  # pixels of an embedded slice: larger slices are subsampled


@dataclass(frozen=True)
class Theme:
    """The colors of a chart, equal to those of the style sheet of the page."""

    text: str
    faint: str
    grid: str
    first: str
    second: str


LIGHT = Theme(text="#1d2733", faint="#5b6875", grid="#dde3e9", first="#0b6e8f", second="#c2571a")
DARK = Theme(text="#e6ebf0", faint="#9aa7b4", grid="#313c48", first="#54b8d9", second="#f0955a")


def data_uri(png: bytes) -> str:
    """Return a PNG as a data URI.

    >>> data_uri(b"abc")
    'data:image/png;base64,YWJj'
    """
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


# --- slices -------------------------------------------------------------------------------------------------------


def window_png(image: NDArray[Any], low: float, high: float) -> bytes:
    """Return a windowed slice as an 8-bit gray PNG: black at ``low`` and below, white at ``high`` and above.

    Args:
        image: (rows, columns) in HU or gray levels.
        low: lower end of the window.
        high: upper end.
    """
    scaled = np.clip((_subsample(image) - low) / (high - low), 0, 1)
    return _png(np.round(scaled * 255).astype(np.uint8))


def difference_png(difference: NDArray[Any], limit: float) -> bytes:
    """Return a difference image in color: blue at -limit, white at 0, red at +limit.

    Args:
        difference: (rows, columns), reconstruction minus original.
        limit: the absolute difference at which the colors saturate.
    """
    scaled = np.clip(_subsample(difference) / limit, -1, 1)
    return _png(np.round(scaled * 127 + 127).astype(np.uint8), colored=True)


def color_bar_png() -> bytes:
    """Return the color scale of `difference_png` as a PNG, from -limit (left) to +limit (right)."""
    return _png(np.tile(np.arange(255, dtype=np.uint8), (8, 1)), colored=True)


def difference_limit(differences: Sequence[NDArray[Any]]) -> float:
    """Return one rounded color limit for all ``differences``, which at least 98 % of the pixels do not exceed.

    >>> difference_limit([np.full((4, 4), 37.0), np.zeros((4, 4))])
    50.0
    """
    sizes = np.abs(np.concatenate([np.ravel(difference) for difference in differences])) if differences else np.zeros(1)
    reach = float(np.percentile(sizes, 98))
    if reach <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(reach))
    return next(step * power for step in (1, 2, 3, 5, 10) if step * power >= reach * (1 - 1e-9))


def _subsample(image: NDArray[Any]) -> NDArray[np.float64]:
    step = math.ceil(max(image.shape) / MAX_SIDE)
    return np.asarray(image, dtype=np.float64)[::step, ::step]


def _png(pixels: NDArray[np.uint8], colored: bool = False) -> bytes:
    from PIL import Image

    picture = Image.fromarray(pixels)
    if colored:  # a palette needs a third of the bytes of RGB
        from matplotlib import colormaps

        colors = colormaps["RdBu_r"](np.linspace(0, 1, 255))[:, :3]
        picture.putpalette(np.round(colors * 255).astype(np.uint8).tobytes())
    stream = io.BytesIO()
    picture.save(stream, format="PNG", optimize=True)
    return stream.getvalue()


# --- charts -------------------------------------------------------------------------------------------------------


def both_themes(draw: Callable[[Axes, Theme], None], width: float = 5.2, height: float = 3.0) -> tuple[str, str]:
    """Return a chart drawn for a light and for a dark page, as data URIs.

    Args:
        draw: draws on the axes that it receives.
        width: in inches; text is 9 points.
        height: in inches.
    """
    return data_uri(_chart(draw, LIGHT, width, height)), data_uri(_chart(draw, DARK, width, height))


def _chart(draw: Callable[[Axes, Theme], None], theme: Theme, width: float, height: float) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=160, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_facecolor("none")
    axes.grid(True, color=theme.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=theme.faint, labelsize=9, length=0)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.grid)
    draw(axes, theme)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(theme.faint)
        label.set_fontsize(9)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", transparent=True)
    return stream.getvalue()


def curves(history: Sequence[Mapping[str, Any]], columns: Mapping[str, str], unit: str) -> tuple[str, str] | None:
    """Return a chart of columns of the history over epochs, for light and dark pages; None without finite values.

    Args:
        history: one mapping per epoch, with "epoch".
        columns: names in the legend by column, at most two.
        unit: label of the vertical axis.
    """
    points = {name: _finite(history, column) for column, name in columns.items()}
    points = {name: line for name, line in points.items() if line}
    if not points:
        return None
    values = [value for line in points.values() for _, value in line]

    def draw(axes: Axes, theme: Theme) -> None:
        from matplotlib.ticker import MaxNLocator

        for (name, line), color, style in zip(points.items(), (theme.first, theme.second), ("-", "--"), strict=False):
            x, y = zip(*line, strict=True)
            axes.plot(x, y, style, color=color, label=name, linewidth=1.8, marker="o", markersize=3)
        if min(values) > 0 and max(values) > 20 * min(values):
            axes.set_yscale("log")
            axes.yaxis.set_tick_params(which="minor", length=0, labelsize=8, labelcolor=theme.faint)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.margins(x=0.03)
        epochs = {epoch for line in points.values() for epoch, _ in line}
        if len(epochs) == 1:
            axes.set_xlim(min(epochs) - 1, min(epochs) + 1)
        axes.set_xlabel("epoch")
        axes.set_ylabel(unit)
        if len(points) > 1:
            axes.legend(frameon=False, fontsize=9, labelcolor=theme.text)

    return both_themes(draw)


def _finite(history: Sequence[Mapping[str, Any]], column: str) -> list[tuple[float, float]]:
    points = []
    for number, epoch in enumerate(history, start=1):
        value = epoch.get(column)
        if isinstance(value, (int, float)) and math.isfinite(value):
            points.append((float(epoch.get("epoch", number)), float(value)))
    return points


def _label(name: str) -> str:
    """Return a name as the label of a row: short, and without formulas of matplotlib."""
    name = printable(name)
    return (name if len(name) < 19 else name[:17] + "…").replace("$", r"\$")


def patient_plot(by_patient: Mapping[str, Sequence[float]], unit: str) -> tuple[tuple[str, str], int] | None:
    """Return a chart with one row per patient, lowest mean on top, a dot for each slice and a bar at the mean.

    Args:
        by_patient: values of the slices by patient; infinite values and NaN are omitted.
        unit: label of the horizontal axis.

    Returns:
        The chart for light and dark pages, and the number of patients it shows (those with the lowest means, at most
        40); None without finite values.
    """
    finite = {name: [v for v in values if math.isfinite(v)] for name, values in by_patient.items()}
    lines = sorted(((name, values) for name, values in finite.items() if values), key=lambda item: np.mean(item[1]))
    lines = lines[:MAX_PATIENTS]
    if not lines:
        return None

    def draw(axes: Axes, theme: Theme) -> None:
        for place, (_, values) in enumerate(lines):
            # a fixed vertical offset for each slice, so that dots of equal values do not cover each other
            shift = ((0.5 + np.arange(len(values)) * 0.618034) % 1 - 0.5) * 0.5
            axes.plot([np.mean(values)] * 2, [place - 0.36, place + 0.36], color=theme.second, linewidth=2.4, zorder=2)
            axes.scatter(values, place + shift, s=11, color=theme.first, alpha=0.55, linewidths=0, zorder=3)
        axes.set_yticks(range(len(lines)), [_label(name) for name, _ in lines])
        axes.set_ylim(len(lines) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(unit)

    return both_themes(draw, width=5.6, height=0.8 + 0.26 * len(lines)), len(lines)

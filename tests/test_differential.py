# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""All readers of one series return the same values at the same places, those that were written, and as SimpleITK does.

Each example is a small CT series, written in one of the many ways of DICOM (``odd_dicom.Case``). Its values and places
are compared as they come from the DICOM reader, the MONAI readers, an archive, a stream, and SimpleITK.

``MONAI_COMPRESS_DIFFERENTIAL_EXAMPLES`` sets the number of examples.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from monai.transforms import LoadImage
from odd_dicom import CODESTREAMS, NAMES, NUMBERS, PADDINGS, PLACES, SYNTAXES, UNUSED, Case, Truth, write_case

from monai_compress.archive import ArchiveSettings, SeriesArchive, SourceFile, write_archive
from monai_compress.archive.formats.find import find_layout
from monai_compress.cli.compress import write_stream
from monai_compress.cli.console import Console
from monai_compress.dicom import find_series, read_image
from monai_compress.dicom.geometry import lps_to_ras
from monai_compress.images import read_stored
from monai_compress.streams import StreamReader, stored_from_stream
from monai_compress.transforms import LoadCT, MczReader

EXAMPLES = int(os.environ.get("MONAI_COMPRESS_DIFFERENTIAL_EXAMPLES", "60"))

RESCALES = (
    (("1", "-1024"),),
    (("1", "0"),),
    (("1.000000E+00", "-1.024000E+03"),),
    (("2", "-1000"),),
    (("0.5", "-1024.5"),),
    (("-1", "1000"),),
    (("0.1", "-100"),),
)
RESCALES_OF_SLICES = (
    (("1", "-1024"), ("2", "-1000")),
    (("0.5", "0"), ("0.25", "-10"), ("1", "100")),
    (("1", "-1024"), ("1", "-1023"), ("1", "-1022"), ("1", "-1021")),
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A way to write a series that a real program could have chosen."""

    def one_of(*choices):
        return draw(st.sampled_from(choices))

    syntax = one_of(*SYNTAXES)
    widths = (16, 8) if syntax in ("RLE", "JPEG-LS", "HTJ2K") else (16, 16, 8, 32)
    allocated = one_of(*widths)
    is_j2k_32 = syntax == "JPEG 2000" and allocated == 32  # OpenJPEG writes at most 26 bits
    stored = one_of(*{8: (8, 8, 7, 5), 16: (16, 12, 13, 10), 32: (20, 25) if is_j2k_32 else (32, 20)}[allocated])
    precision = "stored" if is_j2k_32 else "allocated"
    if syntax in ("JPEG-LS", "JPEG 2000") and stored < allocated:
        precision = one_of("stored", "between") if is_j2k_32 else one_of("stored", "between", "allocated")
    has_unused = stored < allocated and precision != "stored"
    high = stored - 1
    if has_unused and syntax not in CODESTREAMS:
        high = one_of(stored - 1, stored - 1, stored, allocated - 1)
    is_enhanced = draw(st.booleans())
    count = one_of(1, 2, 3, 3, 4)
    return Case(
        syntax=syntax,
        allocated=allocated,
        stored=stored,
        high=high,
        is_signed=draw(st.booleans()),
        unused=one_of(*UNUSED) if has_unused else "zeros",
        precision=precision,
        is_codestream_signed=draw(st.booleans()) if syntax in ("JPEG 2000", "HTJ2K") else True,
        padding=one_of(*PADDINGS),
        rescales=one_of(*RESCALES, *RESCALES_OF_SLICES),
        place=one_of(*PLACES),
        is_enhanced=is_enhanced,
        order=tuple(draw(st.permutations(range(count)))),
        names=one_of(*NAMES),
        numbers=one_of(*NUMBERS),
        has_words=draw(st.booleans()) if allocated == 8 and syntax in ("explicit", "big endian", "deflated") else False,
        size=one_of((12, 10), (11, 9)),
        seed=draw(st.integers(0, 99)),
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for all examples, one after the other."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    yield tmp_path_factory.mktemp("differential")
    sitk.ProcessObject.SetGlobalWarningDisplay(before)


@pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader")
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # a case is readable as it is, and shrinking takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(case=cases())
def test_all_readers_agree(root: Path, case: Case) -> None:
    folder = root / "in"
    try:
        truth = write_case(case, folder)
        hu = _check_loaders(truth)
        _check_series(truth, folder)
        _check_archive(truth, hu, folder)
        _check_stream(truth, hu, folder)
        _check_itk(case, truth, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check_loaders(truth: Truth) -> np.ndarray:
    """Compare the readers of single slices with the truth; return HU as the DICOM reader rounds them to float32."""
    load = LoadCT()
    out = np.empty(truth.hu.shape, np.float32)
    for k, locator in enumerate(truth.locators):
        image = read_image(locator)
        np.testing.assert_array_equal(image.stored, truth.stored[k : k + 1], "stored values of the DICOM reader")
        out[k] = image.hu()
        np.testing.assert_allclose(out[k], truth.hu[k], rtol=1e-6, atol=1e-3, err_msg="HU of the DICOM reader")
        loaded = load(locator)
        np.testing.assert_array_equal(loaded.as_tensor()[0].numpy(), out[k], "HU of LoadCT")
        np.testing.assert_allclose(loaded.affine[:3, :2], lps_to_ras(truth.affine)[:3, :2], atol=1e-6)
        np.testing.assert_allclose(loaded.affine[:3, 3], truth.origins_mm[k] * [-1, -1, 1], atol=1e-4)
    return out


def _check_series(truth: Truth, folder: Path) -> None:
    series, skipped = find_series(sorted({locator.split("#")[0] for locator in truth.locators}))
    assert not skipped
    assert [one.slices for one in series] == [truth.locators]
    across = np.cross(truth.affine[:3, 1], truth.affine[:3, 0])
    step = abs(truth.affine[:3, 2] @ across) / np.linalg.norm(across)
    np.testing.assert_allclose(series[0].spacing_mm, (0.8, 0.7, step), atol=1e-3)


def _check_archive(truth: Truth, hu: np.ndarray, folder: Path) -> None:
    path = folder / "archive.mcz"
    files = sorted({locator.split("#")[0] for locator in truth.locators})
    write_archive(path, [_source(Path(file)) for file in files], ArchiveSettings(effort="fast"))
    with SeriesArchive(path) as archive:
        for entry in archive.files:
            assert b"".join(archive.read(entry)) == (folder / entry.path).read_bytes()
        order = []
        for number in range(len(archive)):
            entry, frame = archive.frame_of(number)
            file = str(folder / entry.path)
            k = truth.locators.index(file if file in truth.locators else f"{file}#{frame}")
            np.testing.assert_array_equal(archive[number], truth.stored[k], "stored values of the archive")
            np.testing.assert_array_equal(archive.hu(number), hu[k], "HU of the archive")
            order.append(k)
        assert sorted(order) == list(range(len(hu)))
        volume = archive.volume()
        assert [order[number] for number in volume.images] == list(range(len(hu))), "order of the archive's volume"
    np.testing.assert_array_equal(volume.hu, hu, "HU of the archive's volume")
    np.testing.assert_allclose(volume.affine, truth.affine, atol=1e-4, err_msg="affine of the archive's volume")
    _check_monai(path, truth, hu)


def _source(path: Path) -> SourceFile:
    state = path.stat()
    return SourceFile(
        str(path), path.name, state.st_size, state.st_mtime_ns, stat.S_IMODE(state.st_mode), find_layout(path)
    )


def _check_stream(truth: Truth, hu: np.ndarray, folder: Path) -> None:
    source = folder / "series"
    source.mkdir()
    for file in sorted({locator.split("#")[0] for locator in truth.locators}):
        shutil.move(file, source)
    image = read_stored(source)
    try:
        _check_stored(image, truth, hu, "the files")
        path = folder / "stream.mcz"
        write_stream(Console(as_json=True), image, path, {"effort": "fast", "verify": True})
        with StreamReader(path) as reader:
            _check_stored(stored_from_stream(reader), truth, hu, "the stream")
    finally:
        for file in source.iterdir():
            shutil.move(file, folder)
    _check_monai(path, truth, hu)


def _check_stored(image, truth: Truth, hu: np.ndarray, where: str) -> None:
    assert len(image) == len(hu)
    for k, values in enumerate(image):
        np.testing.assert_array_equal(values, truth.stored[k], f"stored values of {where}")
        np.testing.assert_array_equal(image.hu(k, values), hu[k], f"HU of {where}")
    assert image.positions_mm is None
    np.testing.assert_allclose(image.affine, truth.affine, atol=1e-4, err_msg=f"affine of {where}")


@cache
def _monai_loader() -> LoadImage:
    return LoadImage(reader=MczReader(), image_only=True)


def _check_monai(path: Path, truth: Truth, hu: np.ndarray) -> None:
    loaded = _monai_loader()(path)
    np.testing.assert_array_equal(np.moveaxis(loaded.numpy(), 2, 0), hu, f"HU of LoadImage, {path.name}")
    np.testing.assert_allclose(loaded.affine.numpy(), lps_to_ras(truth.affine), atol=1e-4)


def itk_refuses(case: Case) -> str | None:
    """Return why SimpleITK, which decodes with GDCM, raises an error; None if it reads the file."""
    if case.allocated == 8 and case.stored < 8:
        return (
            "GDCM does not rescale bytes of which fewer than 8 bits are stored ('An invalid logic behavior occurred')"
        )
    lowest_hu = [min(float(a) * value for value in case.limits) + float(b) for a, b in case.rescales]
    if case.is_signed and case.allocated == 16 and max(lowest_hu) > 0:
        return "GDCM does not rescale signed values to a range above 0 ('Pixel type larger than output type')"
    return None


def itk_is_wrong(case: Case) -> str | None:
    """Return why the values of SimpleITK are not those of the standard; None if they are."""
    is_extended = case.unused == "sign" or (case.unused == "zeros" and not case.is_signed)
    if case.high != case.stored - 1:
        return "GDCM takes the low bits of a word, whatever High Bit states (PS3.5 8.1.1)"
    if case.allocated == 32 and (case.stored < 32 or case.syntax == "big endian"):
        return "GDCM masks and swaps words of 32 bits in halves of 16 bits (PS3.5 7.3, 8.1.1)"
    has_unused = case.precision != "stored" and case.stored < case.allocated and not is_extended
    if case.syntax in ("JPEG 2000", "HTJ2K") and has_unused and (case.is_codestream_signed or not case.is_signed):
        return "GDCM takes the precision of the codestream in place of Bits Stored (PS3.5 8.1.1, 8.2.4)"
    if case.is_enhanced and len(case.rescales) > 1:
        return "GDCM rescales all frames as the first one (PS3.3 C.7.6.16.2.9)"
    return None


def itk_misplaces(case: Case) -> str | None:
    """Return why the affine of SimpleITK is not that of the standard; None if it is."""
    if case.is_enhanced and list(case.order) != sorted(case.order):
        return "ITK takes the frames in the order of the file (PS3.3 C.7.6.16.2.3 places each)"
    if case.is_enhanced and case.place in ("tilted gantry", "sheared"):
        return "ITK gives the image of one file orthogonal axes"
    return None


def _check_itk(case: Case, truth: Truth, folder: Path) -> None:
    """Compare values and places with SimpleITK, which knows no padding."""
    if itk_refuses(case) is not None:
        return
    if itk_is_wrong(case) is None:
        for k, values in _itk_values(truth):
            is_wrong = (np.abs(values - truth.hu[k]) > 1e-3 + 1e-6 * np.abs(truth.hu[k])) & ~truth.is_padding[k]
            assert not is_wrong.any(), f"SimpleITK, slice {k}: {is_wrong.sum()} wrong"
    if itk_misplaces(case) is not None:
        return
    if case.is_enhanced:
        image = sitk.ReadImage(truth.locators[0].split("#")[0])
    else:
        reader = sitk.ImageSeriesReader()
        names = reader.GetGDCMSeriesFileNames(str(folder))
        assert names == truth.locators, "order of SimpleITK"
        reader.SetFileNames(names)
        reader.ForceOrthogonalDirectionOff()
        image = reader.Execute()
    # one slice has no distance to the next: ITK puts 1 mm in the place of the thickness
    columns = [0, 1, 2, 3] if case.count > 1 else [0, 1, 3]
    found = _itk_affine(image)[:, columns]
    np.testing.assert_allclose(found, truth.affine[:, columns], atol=1e-4, err_msg="affine of SimpleITK")


def _itk_affine(image: sitk.Image) -> np.ndarray:
    """Return (4, 4) from (row, column, slice) to LPS mm; ITK has the axes (column, row, slice)."""
    affine = np.eye(4)
    affine[:3, :3] = (np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing())[:, [1, 0, 2]]
    affine[:3, 3] = image.GetOrigin()
    return affine


def _itk_values(truth: Truth) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the number and the values of each slice."""
    last, frames = "", np.empty(0)
    for k, locator in enumerate(truth.locators):
        file, _, frame = locator.partition("#")
        if file != last:
            last, frames = file, sitk.GetArrayFromImage(sitk.ReadImage(file))
        yield k, frames[int(frame or 0)]

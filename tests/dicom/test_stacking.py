# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Which slices form a stack, in which order, and where they lie."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset

from monai_compress.dicom.copies import SliceContent, pixel_digest
from monai_compress.dicom.geometry import frame_affine
from monai_compress.dicom.grids import split_into_even_stacks
from monai_compress.dicom.planes import file_sort_key, plane_of
from monai_compress.dicom.stacking import sort_slices, split_into_stacks
from monai_compress.dicom.traits import traits_of


def header(z_mm: float | None = 0.0, **values) -> Dataset:
    """An axial slice of 4 x 5 pixels."""
    ds = Dataset()
    ds.Rows, ds.Columns, ds.PixelSpacing, ds.InstanceNumber = 4, 5, [0.7, 0.8], 1
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    if z_mm is not None:
        ds.ImagePositionPatient = [-10, -20, z_mm]
    for name, value in values.items():
        setattr(ds, name, value)
    return ds


class Content(SliceContent):
    """Slices in memory; every image has other pixels unless it is given some."""

    def __init__(self, headers, pixels=None, files=None) -> None:
        self.headers, self.pixels, self.files = headers, pixels, files
        self.read: set[int] = set()

    def traits(self, index):
        self.read.add(index)
        return traits_of(self.headers[index])

    def size(self, index):
        return 100

    def file_digest(self, index):
        self.read.add(index)
        return index if self.files is None else self.files[index]

    def pixel_digest(self, index):
        self.read.add(index)
        if self.pixels is None:
            return index
        found = self.pixels[index]
        return None if found is None else pixel_digest(np.array([[found]]), None)


def stacks_of(headers, **content):
    source = Content(headers, **content)
    found = split_into_stacks([plane_of(one) for one in headers], [f"im{k}" for k in range(len(headers))], source)
    return found, source


def z_of(stack, headers):
    return [float(headers[k].ImagePositionPatient[2]) for k in stack.members]


def phases(count, places, step_mm=2.0, **differing):
    """Headers of several images at each place; ``differing`` has a function of (image, place) for each keyword."""
    return [
        header(step_mm * place, **{name: value(image, place) for name, value in differing.items()})
        for image in range(count)
        for place in range(places)
    ]


def test_one_answer_about_the_order():
    z_mm = (5.0, -2.5, 0.0, 2.5)
    headers = [header(z) for z in z_mm]
    planes = [plane_of(one) for one in headers]
    expected = [1, 2, 3, 0]
    assert sort_slices(planes, list("abcd")) == (expected, "position")
    assert sorted(range(4), key=lambda k: file_sort_key(planes[k])) == expected
    (stack,) = stacks_of(headers)[0].stacks
    assert list(stack.members) == expected
    np.testing.assert_allclose(stack.geometry.affine @ [0, 0, 2, 1], [-10, -20, 2.5, 1])


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([header(None, SliceLocation=3, InstanceNumber=1), header(0, SliceLocation=1)], ([1, 0], "slice location")),
        ([header(None, InstanceNumber=2), header(0, InstanceNumber=1)], ([1, 0], "instance number")),
        ([header(None, InstanceNumber=None), header(0)], ([0, 1], "file name")),
    ],
)
def test_order_without_positions_is_stated_and_gives_no_affine(headers, expected):
    assert sort_slices([plane_of(each) for each in headers], ["a", "b"]) == expected
    (stack,) = stacks_of(headers)[0].stacks
    assert (list(stack.members), stack.notes) == (expected[0], (f"positions unknown, sorted by {expected[1]}",))
    assert stack.geometry.affine is None
    assert stack.geometry.positions_mm is None
    assert stack.step_mm is None


def test_slices_at_one_position_are_in_the_order_of_their_numbers_and_names():
    slices = [plane_of(header(0.0, InstanceNumber=number)) for number in (2, 1, 1)]
    assert sort_slices(slices, ["IM1", "IM10", "IM9"]) == ([2, 1, 0], "position")


def test_positions_are_preferred_to_slice_locations_of_the_other_sign():
    headers = [header(z, SliceLocation=-z, InstanceNumber=9 - z) for z in (4, 0, 2)]
    (stack,) = stacks_of(headers)[0].stacks
    assert z_of(stack, headers) == [0, 2, 4]
    assert stack.notes == ()


UNEVEN = "the distances between slices differ, as where one is missing"


@pytest.mark.parametrize(
    ("z_mm", "step", "notes"),
    [
        ((0, 2, 4, 6), 2.0, ()),
        ((6, 4, 2, 0), 2.0, ()),
        ((0, 2, 4, 8), 2.0, (UNEVEN,)),
        ((0, 2, 6, 8, 10), 2.0, (UNEVEN,)),
        ((0, 1, 3, 6, 10), 2.5, (UNEVEN,)),
        ((0, 2, 4.5, 6), 2.0, (UNEVEN,)),
        ((0, 2, 4.15, 6), 2.0, ()),
        # off by an eighth of the step from a line through the ends, by a twelfth from the best line
        ((0, 2, 4.25, 6), 2.0, ()),
        ((3,), None, ()),
        ((0, 2, 2, 4), 2.0, ("2 images at one position that nothing in the headers distinguishes",)),
        ((3, 3, 3, 3), None, ("4 images at one position that nothing in the headers distinguishes",)),
    ],
)
def test_affine_only_where_it_is_right_for_every_slice(z_mm, step, notes):
    headers = [header(z) for z in z_mm]
    (stack,) = stacks_of(headers)[0].stacks
    assert stack.notes == notes
    assert stack.step_mm == (None if step is None else pytest.approx(step))
    if notes:
        assert stack.geometry.affine is None
        np.testing.assert_array_equal(stack.geometry.positions_mm, [[-10, -20, z] for z in sorted(z_mm)])
        np.testing.assert_allclose(stack.geometry.pixel_axes_mm, [[0, 0.8], [0.7, 0], [0, 0]])
    else:
        assert stack.geometry.positions_mm is None
        for k, z in enumerate(sorted(z_mm)):
            assert (stack.geometry.affine @ [0, 0, k, 1])[2] == pytest.approx(z, abs=0.2)


def test_rounded_positions_are_even_whichever_slice_ends_the_stack():
    # 0.625 mm rounded to 0.1: a line through the ends is off by more than a tenth of a step for some lengths
    for count in range(3, 40):
        z_mm = [round(0.625 * k + 0.02, 1) for k in range(count)]
        (stack,) = stacks_of([header(z) for z in z_mm])[0].stacks
        found = [(stack.geometry.affine @ [0, 0, k, 1])[2] for k in range(count)]
        np.testing.assert_allclose(found, z_mm, atol=0.0625)


def test_unknown_pixel_spacing_leaves_the_positions():
    (stack,) = stacks_of([header(z, PixelSpacing=None) for z in (0, 2)])[0].stacks
    assert stack.geometry.affine is None
    np.testing.assert_array_equal(stack.geometry.positions_mm[:, 2], [0, 2])
    assert stack.notes == ("the pixel spacing is unknown",)


def test_gantry_tilt_is_a_sheared_affine_and_two_tilts_are_two_stacks():
    def tilted(k, sine):
        axes = [1, 0, 0, 0, float(np.sqrt(1 - sine**2)), -sine]
        return header(2.0 * k, ImageOrientationPatient=axes)

    headers = [tilted(k, 0.28) for k in range(3)] + [tilted(k + 3, 0.25) for k in range(3)]
    found, _ = stacks_of(headers)
    assert [stack.members for stack in found.stacks] == [(0, 1, 2), (3, 4, 5)]
    for stack, sine in zip(found.stacks, (0.28, 0.25), strict=True):
        assert stack.notes == ("mixed orientations", "gantry tilt")
        np.testing.assert_allclose(stack.geometry.affine[:3, 2], [0, 0, 2])
        assert stack.geometry.affine[2, 0] == pytest.approx(-0.7 * sine)


def test_a_tilt_that_changes_slightly_has_no_affine():
    headers = [header(2.0 * k, ImageOrientationPatient=[1, 0, 0, 0, 1, 0.008 * k], Rows=512) for k in range(2)]
    (stack,) = stacks_of(headers)[0].stacks
    assert stack.geometry.affine is None
    assert stack.geometry.pixel_axes_mm is None
    assert stack.notes == ("orientation or pixel spacing differ between slices",)


def test_rounding_never_separates_orientations():
    # 0.0049 and 0.0051 are rounded to 0.00 and 0.01
    headers = [
        header(2.0 * k, ImageOrientationPatient=[1, 0, 0, 0, 1, value]) for k, value in enumerate((0.0049, 0.0051))
    ]
    assert len(stacks_of(headers)[0].stacks) == 1


@pytest.mark.parametrize(
    "differing", [{"Rows": 6}, {"PixelSpacing": [0.9, 0.9]}, {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}]
)
def test_sizes_spacings_and_orientations_are_separate(differing):
    headers = [header(0), header(2), header(4, **differing)]
    found, _ = stacks_of(headers)
    assert [stack.members for stack in found.stacks] == [(0, 1), (2,)]
    assert all(stack.notes[0].startswith("mixed ") for stack in found.stacks)


@pytest.mark.parametrize("z_mm", [(0, 2, 4, 6), (0, 2, 4, 8), (0, 0.6, 1.2, 1.9, 2.5)])
def test_both_answers_about_even_steps_agree(z_mm):
    headers = [header(z) for z in z_mm]
    (stack,) = stacks_of(headers)[0].stacks
    split = split_into_even_stacks([frame_affine(one) for one in headers], (4, 5))
    assert (stack.geometry.affine is not None) == (len(split.stacks) == 1)
    if stack.geometry.affine is not None:
        np.testing.assert_allclose(stack.geometry.affine, split.stacks[0].affine)


def test_second_copies_are_decided_by_pixels_at_a_known_position():
    headers = [header(0), header(2), header(2), header(4), header(4)]
    found, content = stacks_of(headers, pixels=[1, 2, 2, 3, 4])
    assert found.copies == ((2, 1),)
    assert [stack.members for stack in found.stacks] == [(0, 1, 3, 4)]
    assert content.read == {1, 2, 3, 4}  # slice 0 is alone at its position


def test_one_image_of_each_phase_is_decoded_to_tell_phases_from_copies(monkeypatch):
    decoded = []
    digest = Content.pixel_digest
    monkeypatch.setattr(Content, "pixel_digest", lambda self, k: decoded.append(k) or digest(self, k))
    found, _ = stacks_of(phases(3, 5, AcquisitionNumber=lambda image, place: image + 1))
    assert found.copies == ()
    assert sorted(decoded) == [2, 7, 12]


def test_pixels_that_do_not_decode_are_no_copy():
    found, _ = stacks_of([header(0), header(0)], pixels=[None, None])
    assert found.copies == ()


@pytest.mark.parametrize(("files", "copies"), [((1, 1, 2), ((1, 0),)), ((1, 2, 3), ())])
def test_without_a_position_only_equal_files_are_copies(files, copies):
    found, _ = stacks_of([header(None) for _ in range(3)], pixels=[1, 1, 1], files=files)
    assert found.copies == copies


def test_an_ordinary_series_is_not_read_again():
    headers = [header(2.0 * k, AcquisitionNumber=k + 1, AcquisitionTime=f"1200{k:02d}") for k in range(9)]
    found, content = stacks_of(headers)
    assert len(found.stacks) == 1
    assert content.read == set()


def test_positions_of_a_corrupt_header_are_unknown():
    headers = [header(z, InstanceNumber=k) for k, z in enumerate((0.0, 1e300, 2.0))]
    (stack,) = stacks_of(headers)[0].stacks
    assert stack.geometry.affine is None
    assert stack.notes == ("positions unknown, sorted by instance number",)

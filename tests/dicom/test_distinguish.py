# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Several images at one position: which of them form a volume."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence

from monai_compress.dicom.traits import describe, traits_of

from .test_stacking import header, phases, stacks_of, z_of

TWO_PHASES = {
    "acquisition 1|acquisition 2": {"AcquisitionNumber": lambda image, place: image + 1},
    "phase 30 %|phase 70 %": {"NominalPercentageOfCardiacPhase": lambda image, place: (30, 70)[image]},
    "temporal position 1|temporal position 2": {"TemporalPositionIdentifier": lambda image, place: image + 1},
    "trigger time 0 ms|trigger time 350.5 ms": {"TriggerTime": lambda image, place: 350.5 * image},
    "kernel B30f|kernel B70f": {"ConvolutionKernel": lambda image, place: ("B70f", "B30f")[image]},
    "image type ORIGINAL/PRIMARY/AXIAL/DE_A|image type ORIGINAL/PRIMARY/AXIAL/DE_B": {
        "ImageType": lambda image, place: ["ORIGINAL", "PRIMARY", "AXIAL", ("DE_A", "DE_B")[image]]
    },
    "tube voltage 80 kV|tube voltage 140 kV": {"KVP": lambda image, place: (80, 140)[image]},
    "contrast agent 1|without contrast agent": {"ContrastBolusAgent": lambda image, place: ("IV", None)[image]},
    "echo 1|echo 2": {"EchoNumbers": lambda image, place: image + 1},
    "thickness 1 mm|thickness 3 mm": {"SliceThickness": lambda image, place: (1, 3)[image]},
    "acquisition time 1|acquisition time 2": {"AcquisitionTime": lambda image, place: ("120000", "120130")[image]},
    # differs in each image, but its order is the same at each position
    "number 1 of 2 by acquisition time|number 2 of 2 by acquisition time": {
        "AcquisitionTime": lambda image, place: f"12{image:02d}{place:02d}.5"
    },
    "number 1 of 2 by trigger time|number 2 of 2 by trigger time": {
        "TriggerTime": lambda image, place: 350 * image + place
    },
}


@pytest.mark.parametrize("labels", TWO_PHASES)
def test_two_images_at_each_position_are_two_volumes(labels):
    headers = phases(2, 5, **TWO_PHASES[labels])
    found, _ = stacks_of(headers)
    assert "|".join(sorted(stack.label for stack in found.stacks)) == "|".join(sorted(labels.split("|")))
    for stack in found.stacks:
        assert z_of(stack, headers) == [0, 2, 4, 6, 8]
        assert len({k // 5 for k in stack.members}) == 1
        np.testing.assert_allclose(stack.geometry.affine[:3, 2:], [[0, -10], [0, -20], [2, 0]])
        assert any(note.startswith("several images at one position, divided by") for note in stack.notes)


def test_phases_times_kernels():
    headers = phases(
        6,
        4,
        NominalPercentageOfCardiacPhase=lambda image, place: 10 * (image % 3),
        ConvolutionKernel=lambda image, place: "AB"[image // 3],
    )
    found, _ = stacks_of(headers)
    assert len(found.stacks) == 6
    assert len({stack.label for stack in found.stacks}) == 6
    assert all(z_of(stack, headers) == [0, 2, 4, 6] for stack in found.stacks)


@pytest.mark.parametrize(
    "headers",
    [
        [header(2.0 * k, AcquisitionNumber=k + 1) for k in range(6)],
        [header(2.0 * k, AcquisitionNumber=1 + (k > 2)) for k in range(6)],
        [header(2.0 * k, ConvolutionKernel="AB"[k % 2]) for k in range(6)],
    ],
    ids=["each its own", "consecutive ranges", "alternating"],
)
def test_attributes_divide_nothing_where_no_position_repeats(headers):
    (stack,) = stacks_of(headers)[0].stacks
    assert (len(stack.members), stack.label, stack.notes) == (6, "", ())
    assert stack.geometry.affine is not None


def test_overlapping_acquisitions_are_two_volumes():
    headers = [header(2.0 * z, AcquisitionNumber=1) for z in range(4)]
    headers += [header(2.0 * z, AcquisitionNumber=2) for z in range(3, 6)]
    found, _ = stacks_of(headers)
    assert [z_of(stack, headers) for stack in found.stacks] == [[0, 2, 4, 6], [6, 8, 10]]


def test_a_phase_that_lacks_a_slice_has_no_affine():
    headers = phases(2, 5, AcquisitionNumber=lambda image, place: image + 1)
    del headers[7]  # the third slice of the second phase
    whole, part = stacks_of(headers)[0].stacks
    assert whole.geometry.affine is not None
    assert part.geometry.affine is None
    np.testing.assert_array_equal(part.geometry.positions_mm[:, 2], [0, 2, 6, 8])


def test_one_image_more_does_not_break_up_a_series_whose_numbers_all_differ():
    headers = [header(2.0 * k, AcquisitionNumber=k + 1) for k in range(8)] + [header(6, AcquisitionNumber=20)]
    (stack,) = stacks_of(headers)[0].stacks
    assert stack.notes == ("2 images at one position, which differ in acquisition",)
    assert stack.geometry.affine is None


def test_images_that_are_all_at_one_position_stay_together():
    headers = [header(0, AcquisitionNumber=k + 1, AcquisitionTime=f"12000{k}") for k in range(4)]
    (stack,) = stacks_of(headers)[0].stacks
    assert stack.notes == ("4 images at one position, which differ in acquisition, acquisition time",)
    assert stack.geometry.affine is None


def test_two_fields_of_view_side_by_side():
    headers = phases(2, 4, ImagePositionPatient=lambda image, place: [-10 + 80 * image, -20, 2 * place])
    found, _ = stacks_of(headers)
    assert [stack.geometry.affine[0, 3] for stack in found.stacks] == [-10, 70]
    assert all(len(stack.members) == 4 for stack in found.stacks)


def test_one_equal_image_of_two_phases_is_no_copy():
    headers = [*phases(2, 2, AcquisitionNumber=lambda image, place: image + 1), header(0, AcquisitionNumber=2)]
    found, _ = stacks_of(headers, pixels=[7, 8, 7, 9, 7])
    assert found.copies == ((4, 2),)
    assert [stack.members for stack in found.stacks] == [(0, 1), (2, 3)]


def test_copies_with_another_time_are_copies():
    headers = phases(2, 3, AcquisitionTime=lambda image, place: f"12{image}{place}00")
    found, _ = stacks_of(headers, pixels=[1, 2, 3] * 2)
    assert [copy for copy, _ in found.copies] == [3, 4, 5]
    assert found.stacks[0].geometry.affine is not None


def test_labels_hold_neither_free_text_nor_times():
    headers = phases(
        2,
        2,
        SeriesDescription=lambda image, place: f"Doe^John {image}",
        ContrastBolusAgent=lambda image, place: f"Doe {image}",
    )
    for stack in stacks_of(headers)[0].stacks:
        assert "Doe" not in stack.label + " ".join(stack.notes)
    assert describe("kernel", ("Br40f\\3", "(Doe^J)"), 1) == "kernel Br40f3/DoeJ"


def test_functional_groups_and_dimensions():
    def item(**values):
        ds = Dataset()
        for name, value in values.items():
            setattr(ds, name, value)
        return ds

    frame = item(
        FrameContentSequence=Sequence(
            [item(StackID="2", InStackPositionNumber=7, TemporalPositionIndex=3, DimensionIndexValues=[2, 7, 5])]
        ),
        CardiacSynchronizationSequence=Sequence([item(NominalPercentageOfCardiacPhase=40.0)]),
    )
    shared = item(CTReconstructionSequence=Sequence([item(ConvolutionKernel="Qr40")]))
    ds = item(
        PerFrameFunctionalGroupsSequence=Sequence([item(), frame]),
        SharedFunctionalGroupsSequence=Sequence([shared]),
        DimensionIndexSequence=Sequence(
            [item(DimensionIndexPointer=tag) for tag in (0x00209056, 0x00209057, 0x00189073)]
        ),
    )
    assert traits_of(ds, 0) == {"kernel": ("Qr40",)}
    assert traits_of(ds, 1) == {
        "phase": 40.0,
        "temporal position": 3.0,
        "kernel": ("Qr40",),
        "stack": ("2",),
        "dimension 1": "2",
        "dimension 3": "5",
    }

# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Write simulated scans as DICOM CT: one file per slice, or one enhanced multi-frame file.

Patient name, manufacturer, series description and comments of each file state that it is simulated.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.valuerep import format_number_as_ds

from ..files import atomic_path
from .scanner import Scan
from .shapes import Float
from .vendors import VENDORS, Habits

SYNTAXES = {
    "explicit": uid.ExplicitVRLittleEndian,
    "implicit": uid.ImplicitVRLittleEndian,
    "deflated": uid.DeflatedExplicitVRLittleEndian,
    "jpeg-ls": uid.JPEGLSLossless,
    "j2k": uid.JPEG2000Lossless,
    "rle": uid.RLELossless,
}
"""Transfer syntaxes by name; all are lossless."""

DATE, TIME = "20000101", "120000"
_WINDOWS = {"chest": ([50.0, -600.0], [350.0, 1500.0]), "head": ([40.0, 500.0], [80.0, 2500.0])}


def write_series(
    scan: Scan,
    folder: str | os.PathLike[str],
    *,
    syntax: str = "explicit",
    vendor: str = "ge",
    signed: bool | None = None,
    intercept: float | None = None,
    slope: float | None = None,
    gantry_tilt_deg: float = 0.0,
    multiframe: bool = False,
    patient: str | None = None,
) -> list[Path]:
    """Write a scan as a valid DICOM series; the same scan and arguments give the same UIDs and pixels.

    Args:
        scan: the simulated scan.
        folder: output folder, created if missing. Each file is written atomically.
        syntax: transfer syntax, a name in ``SYNTAXES``.
        vendor: vendor whose convention of storing HU is used, a name in ``VENDORS``.
        signed: overrides the convention of the vendor; unsigned values have no padding value.
        intercept: overrides the Rescale Intercept of the vendor.
        slope: overrides the Rescale Slope of the vendor; HU are rounded to multiples of it.
        gantry_tilt_deg: -30 to 30; negative where the top of the gantry leans towards the head. Only the planes are
            tilted, the pixels are those of the upright scan: the files describe a patient sheared by that angle.
        multiframe: write one Enhanced CT file instead of one file per slice.
        patient: letters and digits of the patient name ``SIMULATED^...``; by default the seed of the phantom.

    Returns:
        paths of the files, from foot to head.

    Raises:
        ValueError: an argument is out of range.
        OutputError: a file could not be written.

    Source: DICOM PS3.3 A.3 (CT Image), A.38 (Enhanced CT), C.7.6.2 (image plane), C.8.2.1 (CT image), PS3.5 annex A.
    """
    if syntax not in SYNTAXES:
        raise ValueError(f"syntax must be one of {', '.join(SYNTAXES)}, not {syntax!r}")
    if vendor not in VENDORS:
        raise ValueError(f"vendor must be one of {', '.join(VENDORS)}, not {vendor!r}")
    if not -30 <= gantry_tilt_deg <= 30:
        raise ValueError(f"gantry_tilt_deg must be -30 to 30, not {gantry_tilt_deg}")
    if slope is not None and not 0 < slope < 1e3:
        raise ValueError(f"slope must be positive and less than 1000, not {slope}")
    habits = _habits(VENDORS[vendor], signed, intercept, slope)
    number = patient if patient is not None else f"{scan.phantom.seed:04d}"
    if not number.isalnum() or len(number) > 32:
        raise ValueError("patient must be 1 to 32 letters and digits")
    folder = Path(folder)
    stored = habits.store(scan.hu, scan.inside)
    description = (vendor, habits, gantry_tilt_deg, multiframe)
    common = _common(scan, habits, number, repr(description))
    positions, orientation = _geometry(scan, gantry_tilt_deg)
    paths = []
    if multiframe:
        ds = _enhanced(scan, common, habits, positions, orientation, gantry_tilt_deg)
        paths.append(_write(ds, stored, habits, SYNTAXES[syntax], folder / "volume.dcm"))
    else:
        for k, pixels in enumerate(stored):
            ds = _slice(scan, common, habits, positions[k], orientation, k, gantry_tilt_deg)
            paths.append(_write(ds, pixels, habits, SYNTAXES[syntax], folder / f"slice_{k + 1:04d}.dcm"))
    return paths


def _habits(habits: Habits, signed: bool | None, intercept: float | None, slope: float | None) -> Habits:
    if signed is not None and signed != habits.signed:
        habits = replace(habits, signed=signed, padding=habits.padding if signed else None)
    if intercept is not None:
        habits = replace(habits, intercept=float(intercept))
    if slope is not None:
        habits = replace(habits, slope=float(slope))
    return habits


def _uid(*parts: object) -> uid.UID:
    """Return a UID under the root of pydicom that depends on ``parts`` only."""
    return uid.generate_uid(entropy_srcs=["monai_compress simulated", *(str(part) for part in parts)])


def _ds(value: float) -> str:
    """Format a number as a DICOM decimal string, at most 16 characters."""
    return format_number_as_ds(float(value))


def _geometry(scan: Scan, tilt_deg: float) -> tuple[Float, list[str]]:
    """Compute Image Position, (slices, 3) in mm, and Image Orientation.

    Source: DICOM PS3.3 C.7.6.2.1.1. A negative tilt leans the top of the gantry away from where the table enters, which
    is towards the head of a patient who lies head first (PS3.3 C.8.2.1, Gantry/Detector Tilt).
    """
    tilt = np.deg2rad(tilt_deg)
    along_row, along_column = np.array([1.0, 0.0, 0.0]), np.array([0.0, np.cos(tilt), np.sin(tilt)])
    rows, columns = scan.hu.shape[1:]
    centers = np.stack([*np.broadcast_arrays(*scan.phantom.center_mm, scan.z_mm)], -1).astype(float)
    corner = along_column * (rows - 1) / 2 * scan.spacing_mm[0] + along_row * (columns - 1) / 2 * scan.spacing_mm[1]
    return centers - corner, [_ds(v) for v in (*along_row, *along_column)]


def _common(scan: Scan, habits: Habits, number: str, description: str) -> Dataset:
    """Return the attributes shared by all files: patient, study, series, frame of reference, equipment."""
    ds = Dataset()
    study = (number, scan.phantom.name, scan.phantom.seed)
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName = f"SIMULATED^{number}"
    ds.PatientID = f"SIM{number}"
    ds.PatientBirthDate = ""
    ds.PatientSex = ""
    ds.StudyInstanceUID = _uid("study", *study)
    ds.StudyID = "1"
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = DATE
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = TIME
    ds.AccessionNumber = ""
    ds.ReferringPhysicianName = ""
    ds.StudyDescription = f"SIMULATED {scan.phantom.name} CT"
    ds.Modality = "CT"
    noise = (scan.dose, scan.kernel, scan.seed, scan.thickness_mm, scan.spacing_mm, scan.hu.shape)
    ds.SeriesInstanceUID = _uid("series", *study, *noise, scan.z_mm[0], description)
    ds.SeriesNumber = 2 if scan.kernel == "soft" else 3
    ds.SeriesDescription = f"SIMULATED {scan.phantom.name} {scan.kernel}"
    ds.PatientPosition = "HFS"
    ds.BodyPartExamined = scan.phantom.name.upper()
    ds.FrameOfReferenceUID = _uid("frame of reference", *study)
    ds.PositionReferenceIndicator = ""
    ds.Manufacturer = f"monai_compress simulated ({habits.name} habits)"
    ds.ManufacturerModelName = "monai_compress.phantom"
    ds.DeviceSerialNumber = "0"
    ds.SoftwareVersions = "1"
    ds.ImageComments = "Simulated by monai_compress: a drawn phantom, no person was scanned."
    ds.BurnedInAnnotation = "NO"
    ds.LossyImageCompression = "00"
    ds.AcquisitionNumber = 1
    return ds


def _pixels(ds: Dataset, shape: tuple[int, ...], habits: Habits) -> None:
    """Add the image pixel module. Source: DICOM PS3.3 C.7.6.3."""
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = shape[-2:]
    ds.BitsAllocated = 16
    ds.BitsStored = habits.bits
    ds.HighBit = habits.bits - 1
    ds.PixelRepresentation = int(habits.signed)
    if habits.padding is not None:
        ds.PixelPaddingValue = habits.padding


def _slice(
    scan: Scan, common: Dataset, habits: Habits, position: Float, orientation: list[str], k: int, tilt_deg: float
) -> Dataset:
    """Return the data set of one CT Image, without pixels. Source: DICOM PS3.3 A.3."""
    ds = Dataset()
    ds.update(common)
    ds.SOPClassUID = uid.CTImageStorage
    ds.SOPInstanceUID = _uid("instance", ds.SeriesInstanceUID, k)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.InstanceNumber = k + 1
    ds.ImagePositionPatient = [_ds(v) for v in position]
    ds.ImageOrientationPatient = orientation
    ds.PixelSpacing = [_ds(v) for v in scan.spacing_mm[:2]]
    ds.SliceThickness = _ds(scan.thickness_mm)
    ds.SpacingBetweenSlices = _ds(scan.spacing_mm[2] * np.cos(np.deg2rad(tilt_deg)))
    ds.SliceLocation = _ds(scan.z_mm[k])
    ds.GantryDetectorTilt = _ds(tilt_deg)
    ds.KVP = "120"
    ds.ConvolutionKernel = scan.kernel.upper()
    ds.ReconstructionDiameter = _ds(scan.spacing_mm[1] * scan.hu.shape[2])
    ds.RescaleIntercept = _ds(habits.intercept)
    ds.RescaleSlope = _ds(habits.slope)
    ds.RescaleType = "HU"
    if scan.phantom.contrast:
        ds.ContrastBolusAgent = "SIMULATED"
    center, width = _WINDOWS.get(scan.phantom.name, _WINDOWS["chest"])
    ds.WindowCenter, ds.WindowWidth = [_ds(v) for v in center], [_ds(v) for v in width]
    _pixels(ds, scan.hu.shape, habits)
    return ds


def _item(**values: object) -> Sequence:
    """Return a sequence of one item with the given attributes."""
    ds = Dataset()
    for name, value in values.items():
        setattr(ds, name, value)
    return Sequence([ds])


def _enhanced(
    scan: Scan, common: Dataset, habits: Habits, positions: Float, orientation: list[str], tilt_deg: float
) -> Dataset:
    """Return the data set of one Enhanced CT Image of all slices, without pixels and without contrast information.

    Source: DICOM PS3.3 A.38 (Enhanced CT), C.7.6.16 and C.8.15.3 (functional groups), C.7.6.17 (dimensions).
    """
    ds = Dataset()
    ds.update(common)
    ds.SOPClassUID = uid.EnhancedCTImageStorage
    ds.SOPInstanceUID = _uid("instance", ds.SeriesInstanceUID)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    ds.InstanceNumber = 1
    ds.NumberOfFrames = len(scan.hu)
    ds.AcquisitionDateTime = DATE + TIME
    ds.AcquisitionDuration = 10.0
    ds.ContentQualification = "RESEARCH"
    ds.PixelPresentation = "MONOCHROME"
    ds.VolumetricProperties = "VOLUME"
    ds.VolumeBasedCalculationTechnique = "NONE"
    ds.PresentationLUTShape = "IDENTITY"
    ds.AcquisitionContextSequence = Sequence([])
    organization = _uid("dimensions", ds.SeriesInstanceUID)
    ds.DimensionOrganizationSequence = _item(DimensionOrganizationUID=organization)
    ds.DimensionIndexSequence = _item(
        DimensionOrganizationUID=organization,
        DimensionIndexPointer=0x00200032,  # Image Position (Patient)
        FunctionalGroupPointer=0x00209113,  # Plane Position Sequence
        DimensionDescriptionLabel="Image Position",
    )
    center, width = _WINDOWS.get(scan.phantom.name, _WINDOWS["chest"])
    frame_type = _item(
        FrameType=ds.ImageType,
        PixelPresentation="MONOCHROME",
        VolumetricProperties="VOLUME",
        VolumeBasedCalculationTechnique="NONE",
    )
    normal_gap = scan.spacing_mm[2] * np.cos(np.deg2rad(tilt_deg))
    ds.SharedFunctionalGroupsSequence = _item(
        PixelMeasuresSequence=_item(
            PixelSpacing=[_ds(v) for v in scan.spacing_mm[:2]],
            SliceThickness=_ds(scan.thickness_mm),
            SpacingBetweenSlices=_ds(normal_gap),
        ),
        PlaneOrientationSequence=_item(ImageOrientationPatient=orientation),
        FrameAnatomySequence=_item(
            FrameLaterality="U",
            AnatomicRegionSequence=_item(
                CodeValue={"chest": "51185008", "head": "69536005"}.get(scan.phantom.name, "38266002"),
                CodingSchemeDesignator="SCT",
                CodeMeaning={"chest": "Chest", "head": "Head"}.get(scan.phantom.name, "Whole body"),
            ),
        ),
        FrameVOILUTSequence=_item(WindowCenter=[_ds(v) for v in center], WindowWidth=[_ds(v) for v in width]),
        PixelValueTransformationSequence=_item(
            RescaleIntercept=_ds(habits.intercept), RescaleSlope=_ds(habits.slope), RescaleType="HU"
        ),
        CTImageFrameTypeSequence=frame_type,
        CTAcquisitionTypeSequence=_item(AcquisitionType="SEQUENCED", ConstantVolumeFlag="NO", FluoroscopyFlag="NO"),
        CTAcquisitionDetailsSequence=_item(
            RotationDirection="CW",
            RevolutionTime=1.0,
            SingleCollimationWidth=scan.thickness_mm,
            TotalCollimationWidth=scan.thickness_mm,
            TableHeight=0.0,
            GantryDetectorTilt=tilt_deg,
            DataCollectionDiameter=scan.phantom.extent_mm,
        ),
        CTTableDynamicsSequence=_item(TableFeedPerRotation=scan.spacing_mm[2]),
        # the simulated rays are parallel: these two distances are nominal
        CTGeometrySequence=_item(DistanceSourceToDetector=1000.0, DistanceSourceToDataCollectionCenter=500.0),
        CTReconstructionSequence=_item(
            ReconstructionAlgorithm="FILTER_BACK_PROJ",
            ConvolutionKernel=scan.kernel.upper(),
            ConvolutionKernelGroup="SOFT_TISSUE" if scan.kernel == "soft" else "LUNG",
            ReconstructionDiameter=scan.spacing_mm[1] * scan.hu.shape[2],
            ReconstructionPixelSpacing=list(scan.spacing_mm[:2]),
            ReconstructionAngle=180.0,
            ImageFilter="NONE",
        ),
        CTExposureSequence=_item(
            ExposureTimeInms=1000.0,
            XRayTubeCurrentInmA=0.0,
            ExposureInmAs=0.0,
            ExposureModulationType="NONE",
            CTDIvol=0.0,
        ),
        CTXRayDetailsSequence=_item(KVP="120", FocalSpots=1.0, FilterType="NONE"),
    )
    frames = []
    for k, position in enumerate(positions):
        frame = Dataset()
        frame.FrameContentSequence = _item(
            FrameAcquisitionDateTime=DATE + TIME,
            FrameReferenceDateTime=DATE + TIME,
            FrameAcquisitionDuration=1.0,
            StackID="1",
            InStackPositionNumber=k + 1,
            DimensionIndexValues=[k + 1],
        )
        frame.PlanePositionSequence = _item(ImagePositionPatient=[_ds(v) for v in position])
        middle = [*scan.phantom.center_mm, float(scan.z_mm[k])]
        frame.CTPositionSequence = _item(
            TablePosition=middle[2], DataCollectionCenterPatient=middle, ReconstructionTargetCenterPatient=middle
        )
        frames.append(frame)
    ds.PerFrameFunctionalGroupsSequence = Sequence(frames)
    _pixels(ds, scan.hu.shape, habits)
    return ds


def _write(
    ds: Dataset, stored: NDArray[np.uint16] | NDArray[np.int16], habits: Habits, syntax: uid.UID, path: Path
) -> Path:
    """Add the pixels, compress them if the transfer syntax does, and write the file atomically."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian if syntax.is_compressed else syntax
    ds.PixelData = stored.astype(stored.dtype.newbyteorder("<")).tobytes()
    ds["PixelData"].VR = "OW"
    if syntax.is_encapsulated:
        ds.compress(syntax, generate_instance_uid=False)
    else:
        ds.file_meta.TransferSyntaxUID = syntax
    with atomic_path(path) as temporary:
        ds.save_as(temporary, enforce_file_format=True)
    return path

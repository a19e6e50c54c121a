# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import json

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from monai_compress.cli import main
from monai_compress.data import find_slices
from monai_compress.engines import reconstruct as reconstructing
from monai_compress.engines.reconstruct import read_index, series_of, write_reconstruction
from monai_compress.errors import DatasetError, InputError, OutputError
from monai_compress.models import Model, Preprocessing, load_model, save_model
from monai_compress.networks import BlockTransformAutoEncoder
from monai_compress.phantom import chest_phantom, simulate_scan, write_series
from monai_compress.transforms.load import load_slice

SIZE = (16, 12)
NO_PLACE = {"ImagePositionPatient": None, "ImageOrientationPatient": None}


@pytest.fixture(scope="module")
def identity(tmp_path_factory) -> Model:
    """A model that keeps every coefficient and, at the size of the slices, every HU."""
    folder = tmp_path_factory.mktemp("identity")
    network = BlockTransformAutoEncoder(2, latent_channels=16, block=4, width=2, depth=1)
    save_model(folder, network, Preprocessing(SIZE))
    return load_model(folder)


@pytest.fixture(scope="module")
def identity_folder(identity, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_model(folder, identity.network, identity.preprocessing)
    return folder


def noise(seed: int = 0, shape: tuple[int, ...] = SIZE) -> np.ndarray:
    return np.random.default_rng(seed).integers(-1000, 2000, shape)


def write(write_ct, folder, heights, **tags):
    for k, z in enumerate(heights):
        write_ct(folder / f"{k:02d}.dcm", noise(k), z=z, InstanceNumber=k, **tags)
    return folder


def reconstruct(model, data, out, **options):
    inventory = find_slices(data)
    ((name, items),) = series_of(inventory.items).items()
    return items, write_reconstruction(model, items, out, name, **options)


def check_voxels(items, result, size=SIZE):
    """Every voxel of every slice is in one of the files, with its HU, where the slice's own header has it."""
    wanted = {}
    for item in items:
        loaded = load_slice(item.image)
        wanted[loaded.image.tobytes()] = np.diag([-1.0, -1.0, 1.0, 1.0]) @ loaded.affine
    corners = np.array([[r, c, 0, 1] for r in (0, size[0] - 1) for c in (0, size[1] - 1)]).T
    for entry in result.written:
        image = nib.load(entry.path)
        assert image.get_data_dtype() == np.int16
        assert (image.dataobj.slope, image.dataobj.inter) == (1, 0)
        assert image.shape == (*size, entry.slices)
        for k in range(entry.slices):
            own = wanted.pop(np.asarray(image.dataobj)[..., k].astype(np.float32).tobytes())
            at = corners + np.array([[0], [0], [k], [0]])
            assert np.allclose(image.affine @ at, own @ corners, atol=1e-4)
    assert not wanted


@pytest.mark.parametrize("orientation", [[1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0.96, -0.28], [0.6, 0.8, 0, -0.8, 0.6, 0]])
def test_even_series_is_one_volume_voxel_by_voxel(identity, write_ct, tmp_path, orientation):
    # the second is a gantry tilt: slices 2 mm apart along z, which is not across them, so the volume is sheared
    write(write_ct, tmp_path / "in", [6.0, 0.0, 2.0, 4.0], ImageOrientationPatient=orientation)
    items, result = reconstruct(identity, tmp_path / "in", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["p0001-s01.nii.gz"]
    assert result.written[0].source == items[0].image
    assert not result.notes
    assert not result.skipped
    check_voxels(items, result)


@pytest.mark.parametrize("multiframe", [False, True])
def test_simulated_scanner_with_a_tilted_gantry(identity, tmp_path, multiframe):
    series = simulate_scan(chest_phantom(1), slices=4, size=16, workers=1)
    write_series(series, tmp_path / "in", gantry_tilt_deg=-20, multiframe=multiframe)
    model = Model(identity.network, Preprocessing((16, 16)))
    items, result = reconstruct(model, tmp_path / "in", tmp_path / "out")
    assert [entry.slices for entry in result.written] == [4]
    check_voxels(items, result, (16, 16))


@pytest.mark.parametrize(
    ("heights", "slices"),
    [
        ([0, 2, 4, 8, 10], [3, 2]),
        ([0, 2, 6, 8, 10], [2, 3]),
        ([0, 4, 6, 8], [1, 3]),
        ([0, 2, 4, 7], [3, 1]),
        ([0, 3, 6, 9, 16, 23, 30], [4, 3]),
        ([0, 2, 2, 4, 6], [4, 1]),
        ([0, 0, 2, 2, 4, 4], [3, 3]),
        ([0, 100], [2]),
        ([5], [1]),
    ],
)
def test_uneven_slices_are_never_misplaced(identity, write_ct, tmp_path, heights, slices):
    write(write_ct, tmp_path / "in", heights)
    items, result = reconstruct(identity, tmp_path / "in", tmp_path / "out")
    assert sorted(entry.slices for entry in result.written) == sorted(slices)
    check_voxels(items, result)
    assert bool(result.notes) == (len(slices) > 1)
    if len(slices) > 1:
        assert [entry.path.name for entry in result.written] == [
            f"p0001-s01-{k + 1}.nii.gz" for k in range(len(slices))
        ]


def test_positions_rounded_in_the_header_split_nothing(identity, write_ct, tmp_path):
    heights = [round(0.625 * k, 1) for k in range(25)]
    write(write_ct, tmp_path / "in", heights)
    _, result = reconstruct(identity, tmp_path / "in", tmp_path / "out")
    affine = nib.load(result.written[0].path).affine
    assert len(result.written) == 1
    assert np.allclose(affine[2, 3] + affine[2, 2] * np.arange(25), heights, atol=0.0625)


def test_slices_of_other_pixel_spacing_go_into_another_grid(identity, write_ct, tmp_path):
    write(write_ct, tmp_path / "in", [0, 2, 4])
    write_ct(tmp_path / "in" / "9.dcm", noise(9), z=6, PixelSpacing=[0.5045, 0.75])
    items, result = reconstruct(identity, tmp_path / "in", tmp_path / "out")
    assert [entry.slices for entry in result.written] == [3, 1]
    check_voxels(items, result)


@pytest.mark.parametrize(
    ("tags", "sides", "words"),
    [
        (NO_PLACE, (1, 1, 1), "do not state their positions"),
        ({"ImagePositionPatient": [0, 0, 0]}, (0.5, 0.75, 1), "lie at one position"),
    ],
    ids=["no position", "one place"],
)
def test_no_place_is_made_up(identity, write_ct, tmp_path, tags, sides, words):
    write(write_ct, tmp_path / "in", [0.0] * 3, **tags)
    _, result = reconstruct(identity, tmp_path / "in", tmp_path / "out")
    image = nib.load(result.written[0].path)
    assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (0, 0)
    assert image.header.get_xyzt_units()[0] == "unknown"
    assert np.allclose(image.header.get_zooms(), sides)
    assert np.array_equal(np.asarray(image.dataobj), np.stack([noise(k) for k in range(3)], axis=-1))
    assert words in result.notes[0]


def test_a_slice_that_does_not_load_leaves_a_gap(identity, write_ct, tmp_path):
    write(write_ct, tmp_path / "in", [0, 2, 4, 6, 8])
    cut = tmp_path / "in" / "02.dcm"
    cut.write_bytes(cut.read_bytes()[:-100])
    items, result = reconstruct(identity, tmp_path / "in", tmp_path / "out")
    assert [entry.locator for entry in result.skipped] == [str(cut)]
    assert [entry.slices for entry in result.written] == [2, 2]
    check_voxels([item for item in items if item.image != str(cut)], result)
    for path in (tmp_path / "in").iterdir():
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError):
        write_reconstruction(identity, items, tmp_path / "out", "other")


@pytest.mark.parametrize("axes", ["RAS", "LPS", "PSR", "IRP"])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_nifti_keeps_its_own_axes_as_whole_hu(identity, tmp_path, axes, dtype):
    display = nib.Nifti1Image(noise(1, (SIZE[1], SIZE[0], 5)).astype(dtype), np.diag([0.75, 0.5, 2.0, 1.0]))
    turn = nib.orientations.axcodes2ornt(axes)
    original = display.as_reoriented(nib.orientations.ornt_transform(nib.io_orientation(display.affine), turn))
    original.header.set_slope_inter(2 if dtype == np.int16 else 1, -1)
    nib.save(original, tmp_path / "in.nii.gz")
    items, result = reconstruct(identity, tmp_path / "in.nii.gz", tmp_path / "out")
    (entry,) = result.written
    made, read = nib.load(entry.path), nib.load(tmp_path / "in.nii.gz")
    assert (entry.slices, entry.source) == (5, items[0].image)
    assert made.get_data_dtype() == np.int16
    assert (made.dataobj.slope, made.dataobj.inter) == (1, 0)
    assert np.allclose(made.affine, read.affine)
    assert np.array_equal(made.get_fdata(), np.clip(np.rint(read.get_fdata()), -1024, 3071))


def test_some_slices_of_a_nifti_volume_lie_where_they_were(identity, write_nifti, tmp_path):
    write_nifti(tmp_path / "in.nii.gz", noise(2, (SIZE[1], SIZE[0], 6)))
    items = find_slices(tmp_path / "in.nii.gz").items[1:4]
    check_voxels(items, write_reconstruction(identity, items, tmp_path / "out", "some"))


def test_sizes_that_differ_make_no_volume(identity, write_ct, tmp_path):
    write(write_ct, tmp_path / "a", [0, 2])
    write_ct(tmp_path / "b.dcm", noise(3, (8, 8)))
    items = find_slices(tmp_path).items
    with pytest.raises(DatasetError, match="different sizes"):
        write_reconstruction(identity, items, tmp_path / "out", "mixed")


def test_pictures_of_one_patient_all_come_back(identity, tmp_path):
    for folder in range(11):
        for k in range(2):
            (tmp_path / f"in/{folder:02d}").mkdir(parents=True, exist_ok=True)
            grey = np.random.default_rng(k).integers(0, 256, SIZE).astype(np.uint8)
            Image.fromarray(grey).save(tmp_path / f"in/{folder:02d}/{k}.png")
    name, items = next(iter(series_of(find_slices(tmp_path / "in").items).items()))
    result = write_reconstruction(identity, items, tmp_path / "out", name)
    assert [entry.path.name for entry in result.written] == [f"{name}-1.png", f"{name}-2.png"]
    for entry in result.written:
        assert np.array_equal(np.asarray(Image.open(entry.path)), np.asarray(Image.open(entry.source)))


def test_earlier_files_are_seen_before_anything_is_computed(identity, write_ct, tmp_path, monkeypatch):
    write(write_ct, tmp_path / "in", [0, 2, 6])
    reconstruct(identity, tmp_path / "in", tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(reconstructing, "reconstruct_slice", None)
        with pytest.raises(OutputError, match="exists already"):
            reconstruct(identity, tmp_path / "in", tmp_path / "out")
    reconstruct(identity, tmp_path / "in", tmp_path / "out", overwrite=True)


def full_after(files, monkeypatch):
    """Let the disk be full after so many volumes; returns the slices that were computed."""
    computed, saved, save = [], [], nib.save

    def filling(image, path):
        if len(saved) == files:
            raise OSError(errno.ENOSPC, "No space left on device")
        saved.append(path)
        save(image, path)

    def counting(model, locator, original=reconstructing.reconstruct_slice):
        computed.append(locator)
        return original(model, locator)

    monkeypatch.setattr(nib, "save", filling)
    monkeypatch.setattr(reconstructing, "reconstruct_slice", counting)
    return computed


def test_full_disk_leaves_no_part_of_a_series(identity, write_ct, tmp_path, monkeypatch):
    write(write_ct, tmp_path / "in", [0, 2, 6, 8])
    full_after(1, monkeypatch)
    with pytest.raises(OutputError, match="disk is full"):
        reconstruct(identity, tmp_path / "in", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def command(model, data, out, *more):
    result = CliRunner().invoke(main, ["reconstruct", str(model), str(data), "-o", str(out), "--device", "cpu", *more])
    assert "Traceback" not in result.output
    return result


def four_series(write_ct, folder):
    for patient in "ABCD":
        write(write_ct, folder / patient, [0, 2], patient=patient)
    return folder


def test_full_disk_stops_the_command(identity_folder, write_ct, tmp_path, monkeypatch):
    four_series(write_ct, tmp_path / "in")
    computed = full_after(1, monkeypatch)
    result = command(identity_folder, tmp_path / "in", tmp_path / "out", "--json")
    answer = json.loads(result.stdout)
    assert result.exit_code == 1
    assert len(computed) == 4
    assert (len(answer["written"]), len(answer["failures"]), answer["not_tried"]) == (1, 1, 2)
    assert "disk is full" in answer["failures"][0]["message"]
    assert [entry["file"] for entry in read_index(tmp_path / "out")] == ["p0001-s01.nii.gz"]


def test_command_tells_what_came_from_what(identity_folder, write_ct, tmp_path):
    four_series(write_ct, tmp_path / "in")
    (tmp_path / "in/C/01.dcm").unlink()
    out = tmp_path / "out"
    result = command(identity_folder, tmp_path / "in", out, "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)["written"]
    assert sorted(entry["slices"] for entry in answer) == [1, 2, 2, 2]
    for entry in answer:
        made = np.asarray(nib.load(entry["file"]).dataobj)
        assert np.array_equal(made[..., 0], load_slice(entry["from"]).image)
    entries = read_index(out)
    assert [entry | {"file": str(out / entry["file"])} for entry in entries] == answer

    # a second call does what is left and keeps what the index says of the rest
    (out / "p0002-s01.nii.gz").unlink()
    result = command(identity_folder, tmp_path / "in", out, "--json")
    assert result.exit_code == 1
    assert len(json.loads(result.stdout)["written"]) == 1
    assert "exists already" in result.stderr
    assert read_index(out) == entries


def test_command_leaves_the_index_of_another_program_alone(identity_folder, write_ct, tmp_path):
    write(write_ct, tmp_path / "in", [0])
    (tmp_path / "out").mkdir()
    (tmp_path / "out/index.json").write_text("{}")
    result = command(identity_folder, tmp_path / "in", tmp_path / "out", "--json")
    assert json.loads(result.stdout)["error"] == "OutputError"
    assert command(identity_folder, tmp_path / "in", tmp_path / "out", "--overwrite").exit_code == 0
    assert len(read_index(tmp_path / "out")) == 1


def test_command_refuses_an_output_that_is_a_file(identity_folder, write_ct, tmp_path):
    write(write_ct, tmp_path / "in", [0])
    (tmp_path / "out").write_text("")
    result = command(identity_folder, tmp_path / "in", tmp_path / "out", "--json")
    assert result.exit_code == 1
    assert "not a folder" in json.loads(result.stdout)["failures"][0]["message"]


def test_command_tells_notes(identity_folder, write_ct, tmp_path):
    write(write_ct, tmp_path / "in", [0, 2, 4, 8])
    result = command(identity_folder, tmp_path / "in", tmp_path / "out")
    assert "1 DICOM series: the distances between slices differ" in result.stderr
    assert "written as 2 files" in result.stderr


def test_nothing_usable_is_one_sentence(identity_folder, tmp_path):
    (tmp_path / "in").mkdir()
    result = command(identity_folder, tmp_path / "in", tmp_path / "out", "--json")
    assert result.exit_code == 1
    assert "no files" in json.loads(result.stdout)["message"]
    for k in range(2):
        (tmp_path / f"in/{k}.dcm").write_text("no scan")
    result = command(identity_folder, tmp_path / "in", tmp_path / "out", "--json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["error"]) == (1, "DatasetError")
    assert "text: 2" in answer["message"]

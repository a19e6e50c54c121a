# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Ask every reader of this package what each file of a folder is, and compare kinds, reasons and values.

The readers are those of ``info`` (`find_slices`), ``train`` (`load_slice`), MONAI (``LoadImaged``), ``compress``
(`read_stored`, a stream and back) and ``pack`` (an archive and back). Prints one JSON line for each file, with hashes
in place of values, and then two tables: files by kind, and disagreements. The exit code is 1 where readers disagree.

    python benchmarks/inventory.py FOLDER ... [--brief]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import stat
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from monai.transforms import LoadImaged

from monai_compress.archive import ArchiveSettings, SeriesArchive, SourceFile, write_archive
from monai_compress.archive.formats.find import find_layout
from monai_compress.cli.compress import write_stream
from monai_compress.cli.console import Console
from monai_compress.data import find_slices
from monai_compress.errors import CompressionError, InputError
from monai_compress.images import StoredImage, read_stored
from monai_compress.sources import kind_of, quiet, split
from monai_compress.streams import StreamReader, stored_from_stream
from monai_compress.transforms import CTReader
from monai_compress.transforms.load import load_slice, slice_format

MAX_SLICES = 40
"""Slices of one file whose values are compared: the first ones."""


@cache
def monai_loader() -> LoadImaged:
    """Return MONAI's transform with the reader of this package."""
    return LoadImaged(keys="image", reader=CTReader(), image_only=True)


@dataclass
class Answer:
    """What one reader says of a file.

    Args:
        what: the kind of its format, and number and size of its slices; or empty.
        reason: why it refuses the file; empty if it does not.
        message: the same in a sentence.
        hu: HU of slices by number, or the reason why there are none.
        stored: stored values of slices by number.
    """

    what: str = ""
    reason: str = ""
    message: str = ""
    hu: dict[int, np.ndarray] | str = field(default_factory=dict)
    stored: dict[int, np.ndarray] = field(default_factory=dict)

    def brief(self) -> dict[str, Any]:
        """Return the answer with hashes of the values."""
        found: dict[str, Any] = {"what": self.what} if self.what else {"refused": self.reason, "message": self.message}
        if isinstance(self.hu, str):
            found["no_hu"] = self.hu
        elif self.hu:
            found["hu"] = digest(self.hu)
        if self.stored:
            found["stored"] = digest(self.stored)
        return found


@dataclass
class Row:
    """All answers for one file.

    Args:
        file: its path below the folder.
        kind: by its content.
        answers: of each reader, in the words of `Answer.brief`.
        disagreements: sentences.
    """

    file: str
    kind: str
    answers: dict[str, dict[str, Any]]
    disagreements: list[str]


def digest(images: dict[int, np.ndarray]) -> str:
    """Return 12 hex digits for the values of slices."""
    found = hashlib.sha256()
    for number, image in sorted(images.items()):
        found.update(f"{number} {image.shape} ".encode())
        found.update(np.ascontiguousarray(image, np.float64).tobytes())
    return found.hexdigest()[:12]


def guarded(reader: Callable[[], Answer]) -> Answer:
    """Return the answer of a reader, or its refusal."""
    try:
        return reader()
    except InputError as error:
        return Answer(reason=error.reason, message=error.detail)
    except (CompressionError, ValueError, TypeError) as error:
        return Answer(reason=type(error).__name__, message=str(error))
    except Exception as error:  # a fault: no reader may raise anything else
        return Answer(reason=f"FAULT {type(error).__name__}", message=str(error))


def ask_info(path: Path) -> tuple[Answer, list[str]]:
    """Return the answer of ``info``, and the locators of the slices in its order."""
    found = find_slices(path)
    if not found.items:
        skipped = found.skipped[0] if found.skipped else None
        return Answer(reason=skipped.reason if skipped else "nothing", message=skipped.detail if skipped else ""), []
    return Answer(what=f"{len(found.items)} slices, {slice_format(path)}"), [item.image for item in found.items]


def ask_train(path: Path, names: list[str]) -> Answer:
    """Load slices as ``train`` does; without slices, the whole file, which is refused with a reason."""
    loaded = {_number(name): load_slice(name) for name in names[:MAX_SLICES] or [str(path)]}
    first = next(iter(loaded.values()))
    what = f"{slice_format(path)}, {_size(first.image)}, {first.unit}"
    return Answer(what=what, hu={k: one.image for k, one in loaded.items()})


def _number(locator: str) -> int:
    return split(locator)[1] or 0


def ask_monai(names: list[str]) -> Answer:
    """Load slices with MONAI; it would try its own readers on what ``train`` refuses, so that is not asked."""
    load = monai_loader()
    loaded = {_number(name): load({"image": name})["image"].numpy() for name in names[:MAX_SLICES]}
    return Answer(what=_size(next(iter(loaded.values()))), hu=loaded)


def ask_compress(path: Path, scratch: Path) -> tuple[Answer, Answer]:
    """Return the answers of the reader of ``compress`` and of the stream."""
    image = read_stored(path)
    before = Answer(what=f"{image.source}, {'x'.join(map(str, image.shape))} {image.dtype}")
    _take_values(before, image)

    def decoded() -> Answer:
        out = scratch / "stream.mcz"
        write_stream(Console(as_json=True), _first_slices(image), out, {"effort": "fast", "verify": False})
        with StreamReader(out) as reader:
            back = stored_from_stream(reader)
            answer = Answer(what=f"{back.source}, {back.dtype}")
            _take_values(answer, back)
        return answer

    return before, guarded(decoded)


def _first_slices(image: StoredImage) -> StoredImage:
    count = min(len(image), MAX_SLICES)
    if count == len(image):
        return image
    per_slice = ("rescale", "positions_mm", "pixel_axes_mm", "padding_ranges")
    parts = {name: None if (found := getattr(image, name)) is None else found[:count] for name in per_slice}
    return replace(image, shape=(count, *image.shape[-2:]), read_all=None, **parts)


def _take_values(answer: Answer, image: StoredImage) -> None:
    for k in range(min(len(image), MAX_SLICES)):
        answer.stored[k] = image.read_slice(k)
        _take_hu(answer, k, lambda k=k: image.hu(k, answer.stored[k]))


def _take_hu(answer: Answer, k: int, read: Callable[[], np.ndarray]) -> None:
    if isinstance(answer.hu, dict):
        try:
            answer.hu[k] = read()
        except (CompressionError, ValueError) as error:
            answer.hu = str(error)


def ask_pack(path: Path, scratch: Path) -> Answer:
    """Put the file alone into an archive and read its images."""
    out = scratch / "archive.mcz"
    state = path.stat()
    layout = find_layout(path)
    source = SourceFile(str(path), path.name, state.st_size, state.st_mtime_ns, stat.S_IMODE(state.st_mode), layout)
    write_archive(out, [source], ArchiveSettings(effort="fast", verify=False))
    with SeriesArchive(out) as archive:
        entry = archive.files[0]
        restored = hashlib.sha256(b"".join(archive.read(entry))).digest()
        if restored != hashlib.sha256(path.read_bytes()).digest():
            raise AssertionError("the archive does not restore the file")
        answer = Answer(what=f"{entry.kind}, {entry.how}{', ' if entry.why else ''}{entry.why}, {len(archive)} images")
        if entry.kind == "nifti":
            hu = archive.volume().hu
            answer.hu = {k: hu[k] for k in range(min(len(hu), MAX_SLICES))}
            return answer
        try:
            for k in range(min(len(archive), MAX_SLICES)):
                answer.stored[k] = archive[k]
                if entry.kind == "dicom":
                    _take_hu(answer, k, lambda k=k: archive.hu(k))
        except (CompressionError, ValueError) as error:
            answer.hu = str(error)
            if not answer.stored:
                answer.reason = getattr(error, "reason", type(error).__name__)
    return answer


def _size(image: np.ndarray) -> str:
    return "x".join(map(str, image.shape))


def inspect(path: Path, name: str = "") -> Row:
    """Ask all readers about one file and compare their answers."""
    scratch = Path(tempfile.mkdtemp(prefix="inventory_"))
    try:
        names: list[str] = []

        def info_answer() -> Answer:
            answer, found = ask_info(path)
            names.extend(found)
            return answer

        info = guarded(info_answer)
        train = guarded(lambda: ask_train(path, names))
        monai = guarded(lambda: ask_monai(names)) if names and train.what else Answer(reason=train.reason)
        pair: list[Answer] = []

        def compress_answer() -> Answer:
            pair.extend(ask_compress(path, scratch))
            return pair[0]

        compress = guarded(compress_answer)
        stream = pair[1] if pair else Answer(reason=compress.reason)
        pack = guarded(lambda: ask_pack(path, scratch))
        kind = kind_of(path)
        answers = {
            "info": info,
            "train": train,
            "monai": monai,
            "compress": compress,
            "stream": stream,
            "pack": pack,
        }
        found = list(compare(answers, [_number(name) for name in names]))
        return Row(name or path.name, str(kind), {key: answer.brief() for key, answer in answers.items()}, found)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def compare(answers: dict[str, Answer], order: list[int]) -> Iterator[str]:
    """Yield what does not agree, in sentences."""
    info, train, compress, stream, pack = (answers[key] for key in ("info", "train", "compress", "stream", "pack"))
    for name, answer in answers.items():
        if answer.reason.startswith("FAULT"):
            yield f"{name} raises {answer.reason}: {answer.message}"
    if info.reason and info.reason != train.reason and train.reason != "several frames":
        yield f"info refuses it ({info.reason}), train says: {train.reason or train.what}"
    if info.what and train.reason and not _is_found_in_pixels(train.reason):
        yield f"info finds {info.what}, train refuses it: {train.reason}"
    # reasons only, since archives and streams are for more than CT
    if compress.what and pack.what and compress.what.split(",")[0] != pack.what.split(",")[0]:
        yield f"compress reads it as {compress.what}, pack as {pack.what}"
    if train.what and not train.what.startswith("picture"):
        if train.what.split(",")[0] != pack.what.split(",")[0]:
            yield f"train reads it as {train.what}, pack as {pack.what or pack.reason}"
        if compress.reason and not _is_unstorable(compress.message):
            yield f"train reads it as {train.what}, compress refuses it: {compress.message}"
    if compress.what and stream.reason and not _is_unstorable(stream.message):
        yield f"compress reads it, its stream is refused: {stream.message}"
    yield from _compare_values(answers, order, info.what != "")
    if compress.what and pack.reason:
        yield f"compress reads it, the archive does not: {pack.reason}"


def _is_found_in_pixels(reason: str) -> bool:
    """Return whether only the pixels show it: ``info`` reads headers."""
    return reason in ("pixels do not decode", "cut off", "no decoder", "not a number")


def _is_unstorable(message: str) -> bool:
    """Return whether a stream cannot hold such values: floats, and integers with a wide range."""
    words = (
        "integers",
        "fractions",
        "may differ by",
        "at most 32 bits",
        "whole numbers",
        "common type",
        "slices at different",
    )
    return any(word in message for word in words)


def _compare_values(answers: dict[str, Answer], order: list[int], is_ct: bool) -> Iterator[str]:
    """Compare HU and stored values, slice by slice; other images than CT as a set, since ``compress`` sorts them.

    The order of ``compress`` is that of ``info`` where it has one.
    """
    for what in ("HU", "stored values"):
        table = {
            name: answer.hu if what == "HU" else answer.stored
            for name, answer in answers.items()
            if answer.what and (answer.hu if what == "HU" else answer.stored)
        }
        for name in ("compress", "stream"):
            found = table.get(name)
            if isinstance(found, dict) and is_ct:
                table[name] = {order[k]: image for k, image in found.items() if k < len(order)}
        for (first, a), (second, b) in pairwise(table.items()):
            if isinstance(a, str) or isinstance(b, str):
                if type(a) is not type(b):
                    yield f"{what} of {first}: {_short(a)}; of {second}: {_short(b)}"
            elif len(a) != len(b):
                yield f"{first} has {len(a)} slices, {second} {len(b)}"
            elif (digest(a) != digest(b)) if is_ct else (_digests(a) != _digests(b)):
                yield f"{what} of {first} and {second} differ"


def _digests(images: dict[int, np.ndarray]) -> list[str]:
    return sorted(digest({0: image}) for image in images.values())


def _short(found: Any) -> str:
    return found if isinstance(found, str) else f"{len(found)} slices"


def files_under(folders: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Yield files with their names below the folders, in order."""
    for folder in folders:
        files = [folder] if folder.is_file() else sorted(path for path in folder.rglob("*") if path.is_file())
        for path in files:
            if path.suffix not in (".py", ".pyc"):
                yield path, str(path.relative_to(folder.parent))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--brief", action="store_true", help="only the tables")
    arguments = parser.parse_args()
    kinds: dict[str, Counter[str]] = {}
    wrong: list[Row] = []
    for path, name in files_under(arguments.folders):
        with quiet():
            row = inspect(path, name)
        counts = kinds.setdefault(row.kind, Counter())
        counts["files"] += 1
        counts["disagree" if row.disagreements else "agree"] += 1
        for reader, answer in row.answers.items():
            counts[reader] += "what" in answer
        if row.disagreements:
            wrong.append(row)
        if not arguments.brief:
            print(json.dumps(asdict(row)), flush=True)
    columns = ("files", "info", "train", "monai", "compress", "stream", "pack", "agree", "disagree")
    print("kind | " + " | ".join(columns))
    print("--- | " + " | ".join("---" for _ in columns))
    for kind, counts in sorted(kinds.items()):
        print(f"{kind} | " + " | ".join(str(counts[column]) for column in columns))
    for row in wrong:
        print(f"{row.file} ({row.kind})")
        for sentence in row.disagreements:
            print(f"  - {sentence}")
    return 1 if wrong else 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    sys.exit(main())

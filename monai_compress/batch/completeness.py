# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Compare archives with the manifests beside them: which archives and files are missing."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..archive import FileEntry, SeriesArchive
from ..archive.storage import DIRECTORY
from ..errors import CompressionError
from .manifest import Line, is_redacted, read_manifests
from .versions import family_of, readability, split_generation

_NAMED = 3
"""Number of files that a message names."""


class Contents(NamedTuple):
    """A digest of what an archive holds.

    Args:
        named: over path and SHA-256 of each file.
        unnamed: over the SHA-256 of each file, for manifests that have pseudonyms instead of paths.
    """

    named: bytes
    unnamed: bytes


@dataclass(frozen=True)
class Missing:
    """An archive that a manifest names, and of which files are missing.

    Args:
        archive: its path; of a redacted manifest, its pseudonym in the folder of the manifest.
        manifest: the manifest.
        files: paths, or pseudonyms, of the files that no archive holds.
        exists: the archive exists, but does not hold these files.
    """

    archive: Path
    manifest: Path
    files: tuple[str, ...]
    exists: bool = False

    @property
    def message(self) -> str:
        """What is missing, in words."""
        count = f"{len(self.files):,} file{'' if len(self.files) == 1 else 's'}"
        some = ", ".join(self.files[:_NAMED]) + (" ..." if len(self.files) > _NAMED else "")
        problem = "it exists, but does not hold" if self.exists else "it does not exist, and no other archive holds"
        return f"{self.manifest.name} names it; {problem} {count} of it: {some}"


@dataclass
class Completeness:
    """The result of the comparison.

    Args:
        missing: what is missing.
        unchecked: folders without a manifest, of which nothing is known.
        manifests: number of manifests.
    """

    missing: list[Missing] = field(default_factory=list)
    unchecked: list[Path] = field(default_factory=list)
    manifests: int = 0

    @property
    def is_complete(self) -> bool | None:
        """Whether nothing is missing; None if that is not known, because there is no manifest."""
        if self.missing:
            return False
        return True if self.manifests and not self.unchecked else None

    @property
    def remarks(self) -> list[str]:
        """What could not be checked, in words."""
        return [
            f"{folder}: no manifest names the archives in it, so it cannot be checked whether any are missing"
            for folder in self.unchecked
        ]


def contents_of(files: Iterable[tuple[str, str]]) -> Contents:
    """Return the digest of files, each given by its path and SHA-256; without folders."""
    pairs = sorted(files)
    named, unnamed = hashlib.sha256(), hashlib.sha256()
    for path, digest in pairs:
        named.update(f"{digest} {path}\n".encode("utf-8", "surrogateescape"))
    for digest in sorted(digest for _, digest in pairs):
        unnamed.update(digest.encode())
    return Contents(named.digest(), unnamed.digest())


def contents_of_entries(entries: Iterable[FileEntry]) -> Contents:
    """Return the digest of the files of an archive."""
    return contents_of((entry.path, entry.sha256) for entry in entries if entry.how != DIRECTORY)


def compare_with_manifests(
    inputs: Iterable[str | os.PathLike[str]],
    held: Mapping[Path, Contents | None],
    wanted: Callable[[str], bool] = lambda path: True,
) -> Completeness:
    """Compare the archives in folders with the manifests in these folders, or else in the nearest folder above them.

    An archive that was renamed or moved is not missing, nor is one whose files a newer generation holds.

    Args:
        inputs: files and folders; only folders are compared.
        held: all archives among the inputs, with a digest of their files; None for those that cannot be opened.
        wanted: whether a missing file of this path is reported; not asked for pseudonyms.
    """
    result = Completeness()
    known = {_absolute(path): contents for path, contents in held.items()}
    for folder in dict.fromkeys(Path(given) for given in inputs if os.path.isdir(given)):  # noqa: PTH112
        groups = list(_groups(folder))
        if not groups:
            result.unchecked.append(folder)
        # archives of another output folder hold its files, not those that this manifest names
        tops = dict.fromkeys(group.manifest.parent for _, group in groups)
        found = {
            top: _Held({path: contents for path, contents in known.items() if path.is_relative_to(top)}) for top in tops
        }
        matched = {place for place, group in groups if found[group.manifest.parent].matches(place, group)}
        for place, group in groups:
            result.manifests += 1
            if place in matched or (place in known and known[place] is None):
                continue
            lost = found[group.manifest.parent].lost(place, group)
            files = tuple(path for path in lost if group.is_redacted or wanted(path))
            if files:
                result.missing.append(Missing(place, group.manifest, files, place in known))
    unique = {(one.archive, one.files): one for one in result.missing}
    result.missing = sorted(unique.values(), key=lambda one: one.archive)
    return result


class _Group(NamedTuple):
    """The lines of one archive in one manifest."""

    manifest: Path
    lines: list[Line]
    is_redacted: bool


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolves no links, which may have been replaced


def _groups(folder: Path) -> Iterator[tuple[Path, _Group]]:
    """Yield the archives that the manifests name, each with its lines in one manifest."""
    top = _absolute(folder)
    places = [Path(place) for place, _, _ in os.walk(top)]
    found = [one for place in places for one in read_manifests(place)]
    if not any(manifest.parent == top for manifest, _ in found):
        found += next((above for place in top.parents if (above := list(read_manifests(place)))), [])
    for manifest, lines in found:
        by_archive: defaultdict[str, list[Line]] = defaultdict(list)
        for line in lines:
            by_archive[line["archive"]].append(line)
        is_above = top != manifest.parent and top.is_relative_to(manifest.parent)
        for archive, group in by_archive.items():
            place = _absolute(manifest.parent / archive)
            # pseudonyms do not tell in which folder an archive is
            if not is_above or place.is_relative_to(top):
                yield place, _Group(manifest, group, is_redacted(group[0]))


class _Held:
    """The files of existing archives; their lists are read only if something seems to be missing.

    Args:
        known: the archives below the folder of a manifest, with the digest of their files.
    """

    def __init__(self, known: Mapping[Path, Contents | None]) -> None:
        self._known = known
        self._unnamed: dict[Path, Counter[bytes]] = {}
        self._matched: defaultdict[Path, set[tuple[str, str]]] = defaultdict(set)
        self._read = False
        self._pairs: set[tuple[str, str]] = set()
        self._versions: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)

    def matches(self, place: Path, group: _Group) -> bool:
        """Return whether the archive holds exactly the files that the manifest names."""
        files = [(line["path"], line["sha256"]) for line in group.lines if line["how"] != DIRECTORY]
        wanted, contents = contents_of(files), self._known.get(place)
        if not group.is_redacted:
            return contents is not None and contents.named == wanted.named
        if group.manifest not in self._unnamed:
            found = (contents.unnamed for contents in self._known.values() if contents is not None)
            self._unnamed[group.manifest] = Counter(found)
        # each archive answers for one of those that the manifest names
        self._unnamed[group.manifest][wanted.unnamed] -= 1
        is_held = self._unnamed[group.manifest][wanted.unnamed] >= 0
        if is_held:
            self._matched[group.manifest].update(files)
        return is_held

    def lost(self, place: Path, group: _Group) -> list[str]:
        """Return the paths of files that no archive holds, neither in this version nor in a newer one."""
        if group.is_redacted:
            held = self._matched[group.manifest]
            return sorted(line["path"] for line in group.lines if (line["path"], line["sha256"]) not in held)
        self._read_lists()
        return sorted(line["path"] for line in group.lines if not self._holds(str(place), line))

    def _holds(self, archive: str, line: Line) -> bool:
        if (line["path"], line["sha256"]) in self._pairs:
            return True
        family, generation = family_of(archive), split_generation(archive)[1]
        rank = readability(line["kind"], str(line.get("why", "")))
        return any(
            family_of(other) == family and split_generation(other)[1] > generation and other_rank >= rank
            for other, other_rank in self._versions.get(line["path"], ())
        )

    def _read_lists(self) -> None:
        if self._read:
            return
        self._read = True
        for archive in (path for path, contents in self._known.items() if contents is not None):
            try:
                with SeriesArchive(archive, threads=1) as opened:
                    entries = opened.files
            except CompressionError:  # changed since it was opened
                continue
            for entry in entries:
                self._pairs.add((entry.path, entry.sha256))
                self._versions[entry.path].append((str(archive), readability(entry.kind, entry.why)))

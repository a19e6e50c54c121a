# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What has changed at the sources since earlier runs: files with other content, damaged files, files that vanished."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ..archive import SeriesArchive
from ..archive.storage import DIRECTORY
from ..errors import CompressionError, Skipped
from .manifest import TREE, Line, Naming, is_redacted, line_of, read_manifests
from .plan import Plan
from .shard import Shard
from .versions import Change, family_of, is_series, readability, source_path, split_generation


@dataclass(frozen=True)
class SourceChange:
    """A file that differs from its version in an earlier archive.

    Args:
        path: under which its archive restores it.
        change: how, one of `CHANGES`.
        archive: the archive that holds the present version; of a vanished file, the newest that holds the file.
        earlier: the archive that holds the version it is compared with.
        size: bytes of the present version; of a vanished file, 0.
        earlier_size: bytes of the earlier version.
    """

    path: str
    change: Change
    archive: str
    earlier: str
    size: int
    earlier_size: int


@dataclass
class Versions:
    """The versions of files in the archives of earlier runs.

    Args:
        by_path: lines of a manifest by the path of the source, the newest version first.
        unlisted: lines of archives that no manifest lists.
        trees: by archive: the number of the source tree, if it is not the first that was packed into the folder.
    """

    by_path: Mapping[str, Sequence[Line]] = field(default_factory=dict)
    unlisted: Sequence[Line] = ()
    trees: Mapping[str, int] = field(default_factory=dict)

    def tree_of(self, line: Line) -> int:
        """Return the number of the source tree of a line, from 1."""
        return self.trees.get(line["archive"], 1)


def earlier_versions(folder: Path, archives: Iterable[str], name: Naming = str) -> Versions:
    """Return the versions of all files in existing archives: from the manifests, and of others from the archives.

    Args:
        folder: the output folder.
        archives: paths below it.
        name: replaces paths in the manifests.
    """
    left = set(archives)
    lines: dict[tuple[str, str], Line] = {}
    listed: set[str] = set()
    stated: dict[str, int] = {}
    for _, found in read_manifests(folder):
        for line in found:
            if isinstance(line.get(TREE), int):
                stated[line["archive"]] = line[TREE]
            if line["archive"] in left and not is_redacted(line):
                lines[line["archive"], line["path"]] = line
                listed.add(line["archive"])
    unlisted: list[Line] = []
    for archive in sorted(left - listed):
        try:
            with SeriesArchive(folder / archive, threads=1) as opened:
                unlisted += [line_of(entry, archive) for entry in opened.files]
        except CompressionError:  # reported by the run, if the archive is of one of its units
            continue
    by_path: defaultdict[str, list[Line]] = defaultdict(list)
    for line in (*lines.values(), *unlisted):
        if line["how"] != DIRECTORY:
            by_path[source_path(line["path"], line["how"])].append(line)
    for versions in by_path.values():
        versions.sort(key=lambda line: (split_generation(line["archive"])[1], line["archive"]), reverse=True)
    trees = {archive: stated.get(archive, stated.get(name(archive), 1)) for archive in left} if stated else {}
    return Versions(by_path, unlisted, trees)


def trees_in_common(versions: Versions, plan: Plan) -> set[int]:
    """Return the source trees of earlier runs with which the present sources have a path or a series in common.

    A folder may hold archives of several trees. If nothing is in common with a tree, its files have not vanished: this
    run is about other sources.
    """
    series = {family for unit in plan.units if is_series(family := family_of(unit.archive))}
    present = {file.path for unit in plan.units for file in unit.files}
    return {
        versions.tree_of(line)
        for path, found in versions.by_path.items()
        for line in found
        if path in present or family_of(line["archive"]) in series
    }


def tree_of_run(versions: Versions, common: set[int]) -> int:
    """Return the number of the source tree of this run: a new one if it has nothing in common with earlier ones."""
    earlier = {versions.tree_of(line) for found in versions.by_path.values() for line in found}
    return min(common) if common else max(earlier, default=0) + 1


def find_changes(
    versions: Versions,
    plan: Plan,
    lines: Iterable[Line],
    new_archives: Iterable[str],
    shard: Shard | None,
    trees: set[int],
) -> list[SourceChange]:
    """Return how sources differ from their earlier versions.

    Files with other content and fewer bytes are reported by the run that writes the new archive. Files that could be
    read and no longer can, and those that have vanished, are reported by every run.

    Args:
        versions: of earlier runs.
        plan: the present sources.
        lines: of the manifest, of all files that this run has packed or found packed.
        new_archives: the archives that this run has written.
        shard: the part of the work that this run did.
        trees: of `trees_in_common`; files of other trees have not vanished.
    """
    now = {source_path(line["path"], line["how"]): line for line in lines if line["how"] != DIRECTORY}
    written = set(new_archives)
    changes = []
    for path, line in now.items():
        earlier = [version for version in versions.by_path.get(path, ()) if version["archive"] != line["archive"]]
        if earlier and (found := _change(line, earlier, line["archive"] in written)) is not None:
            changes.append(found)
    return sorted([*changes, *_vanished(versions, plan, now, shard, trees)], key=lambda one: (one.change, one.path))


def _change(line: Line, earlier: Sequence[Line], is_new: bool) -> SourceChange | None:
    size, digest = _source(line)
    rank = _readability(line)
    best = max(earlier, key=_readability)  # the newest of them
    if rank < _readability(best):
        return SourceChange(line["path"], "damaged", line["archive"], best["archive"], size, _source(best)[0])
    family = family_of(line["archive"])
    last = next((one for one in earlier if family_of(one["archive"]) == family), earlier[0])
    last_size, last_digest = _source(last)
    if not is_new or digest == last_digest:
        return None
    change: Change = "shrunken" if size < last_size else "changed"
    return SourceChange(line["path"], change, line["archive"], last["archive"], size, last_size)


def _vanished(
    versions: Versions, plan: Plan, now: Mapping[str, Line], shard: Shard | None, trees: set[int]
) -> Iterable[SourceChange]:
    present = {file.path for unit in plan.units for file in unit.files}
    unreadable = _ends(plan.skipped)
    held = {(family_of(line["archive"]), _source(line)[1]): path for path, line in now.items()}
    for path, found in versions.by_path.items():
        line, family = found[0], family_of(found[0]["archive"])
        if path in present or versions.tree_of(line) not in trees or (shard is not None and not shard.holds(family)):
            continue
        if unreadable and not unreadable.isdisjoint((path, *map(str, PurePosixPath(path).parents))):
            continue
        # a file with the same content and a new name has moved
        moved = held.get((family, _source(line)[1]))
        if moved is not None and all(one["archive"] != line["archive"] for one in versions.by_path.get(moved, ())):
            continue
        yield SourceChange(line["path"], "vanished", line["archive"], line["archive"], 0, _source(line)[0])


def _ends(skipped: Iterable[Skipped]) -> set[str]:
    """Return all ends of the locators of what cannot be read; one of them is its path in the tree."""
    ends = set()
    for entry in skipped:
        parts = entry.locator.replace("\\", "/").rstrip("/").split("/")
        ends |= {"/".join(parts[number:]) for number in range(len(parts))}
    return ends


def _readability(line: Line) -> int:
    return readability(line["kind"], str(line.get("why", "")))


def _source(line: Line) -> tuple[int, str]:
    """Return size and SHA-256 of the source."""
    found = line.get("original")
    stated = found if isinstance(found, dict) and {"size", "sha256"} <= found.keys() else line
    return stated["size"], stated["sha256"]

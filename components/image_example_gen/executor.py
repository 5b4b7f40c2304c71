"""Writes the examples: one pass over all files to judge them, one over the chosen ones to store them.

Between the two stands one plain decision about all files. Beam's elements are names of small work files, so
neither pictures nor lists of them go through its memory.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from common import escaping, example_records, hashing, labels, progress, unfinished, work_files
from common.errors import TransientError, UserError
from common.examples import Example, FileCounts, split_folder, write_notes, write_pictures
from common.hashing import FINGERPRINT
from components.image_example_gen import group_names, layout
from components.image_example_gen.found_file import File
from components.image_example_gen.leakage import find_leaks
from components.image_example_gen.plan import NO_PICTURE, Plan, Record, make_plan
from components.image_example_gen.reports import write_reports, write_thumbnails
from imaging import normalising, picture_files, ranges
from imaging.normalising import Picture

_UNREADABLE = "cannot be read"
_FILES_PER_BATCH = 32
_PICTURES_PER_SHARD = 256


class Executor(base_beam_executor.BaseBeamExecutor):
    """Fills an Examples artifact.

    Splits train, eval and test: uncompressed TFRecords, as pictures do not compress further, of what
    `common.examples.Example` describes. Beside the splits: `labels.txt`, `quarantine.csv` (file, reason),
    `duplicates.csv` (file, kept), `leakage.csv` (file, split, near, distance: held-out pictures that look like training
    pictures) and `thumbnails/`. Custom properties: those of `common.examples.FileCounts`, the number of pictures in
    each split by its name, the number of `classes`, `notes` on the splits, and the content's `fingerprint`.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See `ImageExampleGenSpec` for the parameters.

        Raises:
          UserError: the data folder cannot become three splits of two or more classes, holds too many
            unusable files, or changed while it was read.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(output_dict["examples"])
        work = os.path.join(examples.uri, ".work")
        found = layout.find(*layout.arguments(exec_properties))
        max_pixels = exec_properties["max_pixels"]

        records = self._examine(found, max_pixels, work)
        _check_readable(records, found, max_pixels)
        fingerprint = hashing.fingerprint((record.file.identity, record.sha256) for record in records)
        if exec_properties.get(FINGERPRINT, fingerprint) != fingerprint:
            raise TransientError(
                f"data folder {found.root!r} changed while it was read; run again when nothing changes it"
            )
        plan = make_plan(
            records,
            classes=found.classes,
            split_folders=found.splits,
            eval_fraction=exec_properties["eval_fraction"],
            test_fraction=exec_properties["test_fraction"],
            max_quarantined_fraction=exec_properties["max_quarantined_fraction"],
            by_likeness=exec_properties["group"] == group_names.LIKENESS,
        )
        self._store(plan, found, max_pixels, examples.uri, work)

        labels.write_labels(examples.uri, found.classes)
        leaks = find_leaks(plan.splits)
        write_reports(examples.uri, plan, leaks)
        write_thumbnails(examples.uri, found.root, max_pixels, plan, leaks)
        fileio.rmtree(work)
        _describe(examples, plan, found, len(leaks), fingerprint)

    def _examine(self, found: layout.Layout, max_pixels: int, work: str) -> list[Record]:
        candidates = [file for file in found.files if not file.problem]
        batches = work_files.write_batches(os.path.join(work, "files"), candidates, _FILES_PER_BATCH)
        progress.start(len(candidates), "files examined")
        with progress.by_files(map(_records_of, batches)), self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | "Batches" >> beam.Create(batches)
                | "Examine" >> beam.Map(_examine_batch, root=found.root, max_pixels=max_pixels)
            )
        records = [Record(file, sha256="") for file in found.files if file.problem]
        records += [record for batch in batches for record in _read_records(_records_of(batch))]
        return records

    def _store(self, plan: Plan, found: layout.Layout, max_pixels: int, uri: str, work: str) -> None:
        shards = []
        stored = os.path.join(work, "stored")
        for split, records in plan.splits.items():
            directory = split_folder(stored, split)
            fileio.makedirs(directory)
            batches = work_files.write_batches(os.path.join(work, split), records, _PICTURES_PER_SHARD)
            shards += [
                (batch, os.path.join(directory, f"examples-{index:05d}-of-{len(batches):05d}.tfrecord"))
                for index, batch in enumerate(batches)
            ]
        progress.start(plan.used, "pictures stored")
        with progress.by_files(path for _, path in shards), self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | "Shards" >> beam.Create(shards)
                | "Store" >> beam.Map(_store_shard, root=found.root, classes=found.classes, max_pixels=max_pixels)
            )
        # Beam would wrap an error raised inside it.
        for batch, _ in shards:
            if fileio.exists(_changed_of(batch)):
                layout.check_unchanged(found)
                changed = next(_read_records(_changed_of(batch)))
                path = os.path.join(found.root, changed.file.path)
                raise TransientError(f"{path!r} changed while it was read; run again when nothing changes the folder")
        for split in plan.splits:
            unfinished.move_files(split_folder(stored, split), split_folder(uri, split))


def _examine_batch(batch: str, root: str, max_pixels: int) -> None:
    """Writes the records of one work file's files beside it."""
    records = [_examine_file(root, File(**row), max_pixels) for row in work_files.read(batch)]
    work_files.write(_records_of(batch), records)


def _examine_file(root: str, file: File, max_pixels: int) -> Record:
    path = os.path.join(root, file.path)
    sha256, problem, picture = "", "", NO_PICTURE
    try:
        data = picture_files.read(path, max_pixels)
        sha256 = hashing.sha256_of_bytes(data)
        picture = normalising.examine(data, max_pixels)
    except OSError as error:
        problem = f"{_UNREADABLE}: {error.strerror}"
    except normalising.Refused as error:
        sha256, problem = sha256 or hashing.sha256_if_readable(path), str(error)
    progress.advance()
    return Record(file._replace(problem=problem), sha256, picture)


def _check_readable(records: Sequence[Record], found: layout.Layout, max_pixels: int) -> None:
    """Tells one bad file, which is quarantined, from a folder that is gone, and from a worker that does not see it."""
    unreadable = [record for record in records if record.file.problem.startswith(_UNREADABLE)]
    if unreadable:
        layout.check_unchanged(found)
    for record in unreadable:
        path = os.path.join(found.root, record.file.path)
        if _is_readable(path, max_pixels):
            raise TransientError(
                f"{path!r} {record.file.problem} by a worker, and can be read here; "
                f"expected workers that see the same files, at the same paths"
            )
    if unreadable and len(unreadable) == sum(not file.problem for file in found.files):
        reason = unreadable[0].file.problem.removeprefix(f"{_UNREADABLE}: ")
        raise UserError(f"no file in data folder {found.root!r} can be read: {reason}")


def _is_readable(path: str, max_pixels: int) -> bool:
    try:
        picture_files.read(path, max_pixels)
    except OSError:
        return False
    except normalising.Refused:
        pass
    return True


def _store_shard(task: tuple[str, str], root: str, classes: Sequence[str], max_pixels: int) -> None:
    """Writes the pictures that a work file names to a shard; a file that changed ends it."""
    batch, shard = task
    ids = {name: index for index, name in enumerate(classes)}
    with unfinished.record_writer(shard) as writer:
        for record in _read_records(batch):
            try:
                data = picture_files.read(os.path.join(root, record.file.path), max_pixels)
            except (OSError, normalising.Refused):
                data = b""
            if hashing.sha256_of_bytes(data) != record.sha256:
                work_files.write(_changed_of(batch), [record])
                return
            image = data if record.picture.as_stored else normalising.normalise(data, max_pixels)
            writer.write(example_records.encode(_example(record, image, ids[record.file.class_name])))
            progress.advance()


def _example(record: Record, image: bytes, label: int) -> Example:
    file, picture = record.file, record.picture
    return Example(
        image=image,
        label=label,
        class_name=file.class_name,
        sha256=record.sha256,
        file_name=escaping.escape(file.path),
        height=picture.height,
        width=picture.width,
        brightness=picture.brightness,
        sharpness=picture.sharpness,
        size_range=ranges.size_range(picture.height, picture.width),
        brightness_range=ranges.brightness_range(picture.brightness),
    )


def _describe(examples: types.Artifact, plan: Plan, found: layout.Layout, leaks: int, fingerprint: str) -> None:
    examples.split_names = artifact_utils.encode_split_names(list(plan.splits))
    FileCounts(
        found=plan.found,
        used=plan.used,
        duplicate=len(plan.duplicates),
        quarantined=len(plan.quarantined),
        leakage=leaks,
        not_pictures=len(found.others),
        hidden=len(found.ignored),
    ).write(examples)
    write_pictures(examples, {split: len(records) for split, records in plan.splits.items()})
    write_notes(examples, plan.notes)
    examples.set_int_custom_property("classes", len(found.classes))
    examples.set_string_custom_property(FINGERPRINT, fingerprint)


def _read_records(path: str) -> Iterator[Record]:
    for row in work_files.read(path):
        yield Record(**row | {"file": File(**row["file"]), "picture": Picture(**row["picture"])})


def _records_of(batch: str) -> str:
    return f"{batch}.records"


def _changed_of(batch: str) -> str:
    return f"{batch}.changed"

"""What becomes of each file: used in a split, a duplicate, or quarantined with a reason."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from common import escaping
from common.errors import UserError
from common.examples import EVAL, SPLITS, TEST, TRAIN
from components.image_example_gen import cutting
from components.image_example_gen.found_file import File
from imaging.normalising import Picture

# The more held-out split keeps a picture that is in two: a test picture must not be trained on.
_RANK = {TEST: 0, EVAL: 1, TRAIN: 2}
# What is known of a file that holds none that can be used.
NO_PICTURE = Picture(height=0, width=0, brightness=0.0, as_stored=False, perceptual_hash="")


class Record(NamedTuple):
    """One file after a look inside.

    Attributes:
      file: where it lies; has a problem unless its picture can be used.
      sha256: of the file's bytes, hexadecimal; empty where nobody looked inside.
      picture: what is in it; NO_PICTURE where there is none that can be used.
    """

    file: File
    sha256: str
    picture: Picture = NO_PICTURE


class Plan(NamedTuple):
    """What becomes of each file.

    Attributes:
      splits: the pictures of train, eval and test, in the order of their hashes.
      duplicates: each spare copy's path and the path of the copy that is used; sorted.
      quarantined: each unusable file's path and reason; sorted.
      notes: what to know of the splits besides, a line each.
    """

    splits: dict[str, list[Record]]
    duplicates: list[tuple[str, str]]
    quarantined: list[tuple[str, str]]
    notes: list[str]

    @property
    def used(self) -> int:
        return sum(map(len, self.splits.values()))

    @property
    def found(self) -> int:
        return self.used + len(self.duplicates) + len(self.quarantined)


def make_plan(
    records: Iterable[Record],
    *,
    classes: list[str],
    split_folders: Iterable[str],
    eval_fraction: float,
    test_fraction: float,
    max_quarantined_fraction: float,
) -> Plan:
    """Decides; the same files give the same plan in whatever order they come.

    Args:
      records: one for each file found.
      classes: all classes, each of which needs a picture in train.
      split_folders: the splits that have a folder of their own.
      eval_fraction: share of train's pictures that becomes the eval split where it has no folder, 0 to 1.
      test_fraction: the same for the test split.
      max_quarantined_fraction: largest share of quarantined files that is accepted, 0 to 1.

    Raises:
      UserError: too many files are quarantined, a class has no picture to train on, or a split is empty.
    """
    copies: dict[str, list[Record]] = defaultdict(list)
    quarantined = []
    for record in records:
        if record.file.problem:
            quarantined.append((record.file.path, record.file.problem))
        else:
            copies[record.sha256].append(record)

    used = []
    duplicates = []
    for sha256 in sorted(copies):
        first, *others = sorted(copies[sha256], key=lambda record: (_RANK[record.file.split], record.file.path))
        owners = sorted({record.file.class_name for record in copies[sha256]})
        if len(owners) > 1:
            reason = f"same picture under two classes: {', '.join(map(escaping.escape, owners))}"
            quarantined += [(record.file.path, reason) for record in (first, *others)]
            continue
        used.append(first)
        duplicates += [(other.file.path, first.file.path) for other in others]

    shares = [(TEST, test_fraction), (EVAL, eval_fraction)]
    shares = [(split, share) for split, share in shares if split not in set(split_folders)]
    splits = _splits(used, shares)
    plan = Plan(splits, sorted(duplicates), sorted(quarantined), list(_notes(splits, classes)))
    _check_quarantine(plan, max_quarantined_fraction)
    _check_classes(plan, classes)
    _check_splits(plan)
    return plan


def _splits(used: list[Record], shares: list[tuple[str, float]]) -> dict[str, list[Record]]:
    """The pictures of each split, in their order."""
    to_cut = {record.sha256: {record.file.class_name} for record in used if record.file.split == TRAIN}
    cut = cutting.cut(to_cut, shares)
    splits: dict[str, list[Record]] = {split: [] for split in SPLITS}
    for record in used:
        splits[cut.get(record.sha256, record.file.split)].append(record)
    return splits


def _notes(splits: dict[str, list[Record]], classes: list[str]) -> Iterator[str]:
    # Train has all classes, and of those that test lacks the evaluation tells.
    present = {record.file.class_name for record in splits[EVAL]}
    if missing := [name for name in classes if name not in present]:
        yield f"no eval picture of {escaping.first_few(missing)}"


def _check_quarantine(plan: Plan, max_fraction: float) -> None:
    if len(plan.quarantined) / plan.found > max_fraction:
        raise UserError(
            f"{len(plan.quarantined)} of {plan.found} files cannot be used, more than "
            f"max_quarantined_fraction {max_fraction} allows: {_commonest(plan.quarantined)}"
        )


def _commonest(quarantined: list[tuple[str, str]]) -> str:
    """The three commonest reasons with an example each."""
    example = {reason: path for path, reason in reversed(quarantined)}
    counts = Counter(reason for _, reason in quarantined).most_common(3)
    return "; ".join(f"{count} x {reason} ({escaping.escape(example[reason])})" for reason, count in counts)


def _check_classes(plan: Plan, classes: list[str]) -> None:
    trained = {record.file.class_name for record in plan.splits[TRAIN]}
    for name in classes:
        if name not in trained:
            held_out = sum(record.file.class_name == name for split in (EVAL, TEST) for record in plan.splits[split])
            raise UserError(
                f"the class {name!r} has no usable picture left in train: {held_out} went to eval or test, "
                f"the rest are duplicates or cannot be used; add pictures of it"
            )


def _check_splits(plan: Plan) -> None:
    for split, records in plan.splits.items():
        if not records:
            raise UserError(
                f"the {split} split is empty, with {plan.used} usable pictures in all; "
                f"add pictures, give it a folder of its own, or raise {split}_fraction"
            )

"""What becomes of each file: used in a split, a duplicate, or quarantined with a reason."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Set
from typing import NamedTuple

from common import escaping
from common.errors import UserError
from common.examples import EVAL, SPLITS, TEST, TRAIN
from components.image_example_gen import cutting, grouping
from components.image_example_gen.found_file import File
from imaging.normalising import Picture

# The more held-out split keeps a picture that is in two: a test picture must not be trained on.
_RANK = {TEST: 0, EVAL: 1, TRAIN: 2}
_NONE: frozenset[str] = frozenset()
# What is known of a file that holds none that can be used.
NO_PICTURE = Picture(height=0, width=0, brightness=0.0, sharpness=0.0, as_stored=False, perceptual_hash="")


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
    by_likeness: bool = False,
) -> Plan:
    """Decides; the same files give the same plan in whatever order they come.

    Args:
      records: one for each file found.
      classes: all classes, each of which needs a picture in train.
      split_folders: the splits that have a folder of their own.
      eval_fraction: share of train's pictures that becomes the eval split where it has no folder, 0 to 1.
      test_fraction: the same for the test split.
      max_quarantined_fraction: largest share of quarantined files that is accepted, 0 to 1.
      by_likeness: whether pictures that look alike stay in one split, as those of one group do.

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
    names = []
    duplicates = []
    for sha256 in sorted(copies):
        first, *others = sorted(copies[sha256], key=lambda record: (_RANK[record.file.split], record.file.path))
        owners = sorted({record.file.class_name for record in copies[sha256]})
        if len(owners) > 1:
            reason = f"same picture under two classes: {', '.join(map(escaping.escape, owners))}"
            quarantined += [(record.file.path, reason) for record in (first, *others)]
            continue
        used.append(first)
        names.append({record.file.group for record in copies[sha256] if record.file.group} or _NONE)
        duplicates += [(other.file.path, first.file.path) for other in others]

    shares = [(TEST, test_fraction), (EVAL, eval_fraction)]
    shares = [(split, share) for split, share in shares if split not in set(split_folders)]
    looks = [record.picture.perceptual_hash for record in used] if by_likeness else None
    groups = grouping.find([record.sha256 for record in used], names, looks)
    splits = _splits(used, groups, shares)
    notes = [*_group_notes(used, groups, splits), *_class_notes(splits, classes)]
    plan = Plan(splits, sorted(duplicates), sorted(quarantined), notes)
    _check_quarantine(plan, max_quarantined_fraction)
    _check_classes(plan, classes)
    _check_splits(plan, len(set(groups)))
    return plan


def _splits(used: list[Record], groups: list[str], shares: list[tuple[str, float]]) -> dict[str, list[Record]]:
    """The pictures of each split, in the order of their hashes.

    Args:
      used: all pictures, in that order.
      groups: hash of each one's group.
      shares: the splits to cut from train, with their part of it.
    """
    single: dict[str, Set[str]] = {}
    to_cut: dict[str, Set[str]] = {}
    for record, group in zip(used, groups, strict=True):
        if record.file.split == TRAIN:
            name = record.file.class_name
            own = single.setdefault(name, frozenset([name]))
            to_cut[group] = to_cut.get(group, own) | own
    cut = cutting.cut(to_cut, shares)
    splits: dict[str, list[Record]] = {split: [] for split in SPLITS}
    for record, group in zip(used, groups, strict=True):
        splits[cut[group] if record.file.split == TRAIN else record.file.split].append(record)
    return splits


def _group_notes(used: list[Record], groups: list[str], splits: dict[str, list[Record]]) -> Iterator[str]:
    """How many groups there are, if any has several pictures, and which ones the data's own splits divide."""
    sizes = Counter(groups)
    if len(sizes) == len(groups):
        return
    yield f"{len(groups)} pictures are in {len(sizes)} groups, the largest of {max(sizes.values())}"
    group_of = {record.sha256: group for record, group in zip(used, groups, strict=True)}
    seen: dict[str, tuple[str, Record]] = {}
    divided: dict[str, str] = {}
    for split, record in ((split, record) for split, records in splits.items() for record in records):
        group = group_of[record.sha256]
        first, other = seen.setdefault(group, (split, record))
        if first != split and group not in divided:
            path, near = escaping.escape(record.file.path), escaping.escape(other.file.path)
            divided[group] = f"{near} in {first}, {path} in {split}"
    if divided:
        count = "1 group is" if len(divided) == 1 else f"{len(divided)} groups are"
        yield f"{count} in more than one split, as the data has it: {next(iter(divided.values()))}"


def _class_notes(splits: dict[str, list[Record]], classes: list[str]) -> Iterator[str]:
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


def _check_splits(plan: Plan, groups: int) -> None:
    whole = f"{plan.used} usable pictures in all"
    if groups < plan.used:
        whole = f"{plan.used} usable pictures in {groups} groups, which no cut divides"
    for split, records in plan.splits.items():
        if not records:
            raise UserError(
                f"the {split} split is empty, with {whole}; "
                f"add pictures, give it a folder of its own, or raise {split}_fraction"
            )

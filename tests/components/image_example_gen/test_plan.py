import hashlib
import random
from typing import Any

import pytest

from common.errors import UserError
from components.image_example_gen.found_file import File
from components.image_example_gen.plan import NO_PICTURE, Plan, Record, make_plan


def _record(path: str, content: str | None = None, split: str = "train", problem: str = "") -> Record:
    sha256 = hashlib.sha256((content or path).encode()).hexdigest()
    return Record(File(path, split, path.split("/")[-2], problem), sha256)


def _records(count: int, split: str = "train") -> list[Record]:
    return [_record(f"{split}/{name}/{index}", split=split) for name in "ab" for index in range(count)]


def _plan(records: list[Record], split_folders: tuple[str, ...] = ("train",), **changes: Any) -> Plan:
    settings: dict[str, Any] = {
        "eval_fraction": 0.15,
        "test_fraction": 0.15,
        "max_quarantined_fraction": 1.0,
        "classes": ["a", "b"],
    }
    plan = make_plan(records, split_folders=split_folders, **settings | changes)
    assert plan.found == len(records)
    return plan


def _split_of(plan: Plan) -> dict[str, str]:
    return {record.file.path: split for split, records in plan.splits.items() for record in records}


def test_splits_are_cut_by_hash_in_the_asked_shares():
    plan = _plan(_records(2000), eval_fraction=0.2, test_fraction=0.1)
    assert len(plan.splits["eval"]) / 4000 == pytest.approx(0.2, abs=0.02)
    assert len(plan.splits["test"]) / 4000 == pytest.approx(0.1, abs=0.02)
    for split, (low, high) in {"test": (0, 0.1), "eval": (0.1, 0.3), "train": (0.3, 1)}.items():
        places = [int(record.sha256[:16], 16) / 2**64 for record in plan.splits[split]]
        assert places == sorted(places)
        assert low <= places[0] < places[-1] < high


def test_pictures_stay_in_their_split_when_others_come():
    before, after = _split_of(_plan(_records(100))), _split_of(_plan(_records(150)))
    assert before.items() <= after.items()


def _counts(plan: Plan) -> dict[str, list[int]]:
    """Pictures of each class in train, eval and test."""
    split_of, counts = _split_of(plan), dict[str, list[int]]()
    for path, split in split_of.items():
        counts.setdefault(path.split("/")[-2], [0, 0, 0])[["train", "eval", "test"].index(split)] += 1
    return counts


def test_each_class_of_three_pictures_is_in_each_split():
    names = [f"class {number}" for number in range(100)]
    records = [_record(f"train/{name}/{index}") for name in names for index in range(3)]
    plan = _plan(records, classes=names)
    assert _counts(plan) == {name: [1, 1, 1] for name in names}
    assert plan.notes == []


def test_classes_of_fewer_than_three_pictures_are_trained_on_and_named_where_eval_lacks_them():
    small = {f"small {number}": 1 + number % 2 for number in range(40)}
    records = [_record(f"train/{name}/{index}") for name, count in small.items() for index in range(count)]
    plan = _plan([*_records(100), *records], classes=["a", "b", *small])
    counts = _counts(plan)
    assert all(counts[name][0] >= 1 for name in small)
    assert {counts[name][0] for name, count in small.items() if count == 1} == {1}
    assert any(counts[name][1] for name in small), "where the hash allows it, they are in eval"
    missing = [name for name in small if not counts[name][1]]
    assert plan.notes == [f"no eval picture of {', '.join(missing[:5])} and {len(missing) - 5} more"]


def test_only_the_picture_nearest_to_a_split_moves_into_it():
    by_hash = {path: _by_hash(path) for path in (f"train/b/{index}" for index in range(1000))}
    paths = [path for path, place in by_hash.items() if place > 0.3][:20]
    split_of = _split_of(_plan([*(r for r in _records(100) if r.file.class_name == "a"), *map(_record, paths)]))
    nearest, second = sorted(paths, key=by_hash.__getitem__)[:2]
    # Test ends at 0.15 and comes first, eval ends at 0.3.
    assert {path for path in paths if split_of[path] != "train"} == {nearest, second}
    assert {split_of[nearest], split_of[second]} == {"eval", "test"}
    joined = next(path for path, place in by_hash.items() if place < 0.15)
    again = _split_of(_plan([*(r for r in _records(100) if r.file.class_name == "a"), *map(_record, [*paths, joined])]))
    assert again[joined] == "test"
    assert {path: again[path] for path in paths if again[path] != "train"} == {nearest: "eval"}


def test_classes_that_each_split_has_by_hash_are_cut_by_hash_alone():
    plan = _plan([*_records(300), *(_record(f"train/c/{index}") for index in range(3))], classes=["a", "b", "c"])
    for path, split in _split_of(plan).items():
        if "/c/" not in path:
            place = _by_hash(path)
            assert split == ("test" if place < 0.15 else "eval" if place < 0.3 else "train")


def _grouped(record: Record, group: str) -> Record:
    return record._replace(file=record.file._replace(group=group))


def test_pictures_of_a_group_are_in_one_split_and_stay_there():
    records = [_grouped(record, f"patient {place // 2 % 40}") for place, record in enumerate(_records(100))]
    plan = _plan(records)
    split_of = _split_of(plan)
    splits: dict[str, set[str]] = {}
    for record in records:
        splits.setdefault(record.file.group, set()).add(split_of[record.file.path])
    assert all(len(found) == 1 for found in splits.values())
    assert set.union(*splits.values()) == {"train", "eval", "test"}
    assert plan.notes == ["200 pictures are in 40 groups, the largest of 6"]
    more = [_grouped(_record(f"train/a/more {number}"), f"patient {number}") for number in range(50)]
    assert split_of.items() <= _split_of(_plan([*records, *more])).items()


def test_each_class_of_three_groups_is_in_each_split():
    names = [f"class {number}" for number in range(30)]
    records = [
        _grouped(_record(f"train/{name}/{index}"), f"{name} {index // 4}") for name in names for index in range(12)
    ]
    assert _counts(_plan(records, classes=names)) == {name: [4, 4, 4] for name in names}


def test_a_copy_in_another_group_joins_the_two():
    pictures = [_grouped(_record(f"train/a/{index}"), f"{index}") for index in range(10)]
    copies = [_grouped(_record(f"train/a/copy {index}", f"train/a/{index}"), "all") for index in range(10)]
    others = [record for record in _records(100) if record.file.class_name == "b"]
    others += [_record(f"train/a/other {index}") for index in range(50)]
    assert len({_split_of(_plan([*others, *pictures]))[record.file.path] for record in pictures}) > 1
    split_of = _split_of(_plan([*others, *pictures, *copies]))
    assert len({split_of[record.file.path] for record in pictures}) == 1


def test_groups_that_the_data_divides_are_told():
    records = [*_records(50), *_records(10, "test")]
    groups = {"train/a/1": "p", "train/a/2": "p", "test/b/3": "p", "train/b/5": "q", "test/b/5": "q"}
    records = [_grouped(record, groups.get(record.file.path, "")) for record in records]
    whole, divided = _plan(records, ("train", "test")).notes
    assert whole == "120 pictures are in 117 groups, the largest of 3"
    assert divided == "2 groups are in more than one split, as the data has it: train/b/5 in train, test/b/5 in test"


def test_pictures_that_look_alike_are_in_one_split_if_asked():
    def looking(record: Record, seed: int, flipped: int) -> Record:
        bits = random.Random(seed).getrandbits(256) ^ flipped
        return record._replace(picture=NO_PICTURE._replace(perceptual_hash=f"{bits:064x}"))

    records = [looking(record, place // 4, 1 << place % 4) for place, record in enumerate(_records(100))]
    split_of = _split_of(_plan(records, by_likeness=True))
    for start in range(0, 200, 4):
        assert len({split_of[record.file.path] for record in records[start : start + 4]}) == 1
    assert set(split_of.values()) == {"train", "eval", "test"}
    assert len({_split_of(_plan(records))[record.file.path] for record in records[:4]}) > 1


def _by_hash(path: str) -> float:
    return int(_record(path).sha256[:16], 16) / 2**64


def test_a_split_with_a_folder_is_not_cut_from_train():
    records = [*_records(100), *_records(10, "test")]
    plan = _plan(records, ("train", "test"), eval_fraction=0.3)
    assert {record.file.path for record in plan.splits["test"]} == {record.file.path for record in _records(10, "test")}
    assert len(plan.splits["eval"]) / 200 == pytest.approx(0.3, abs=0.1)


def test_the_order_of_the_files_does_not_matter():
    records = [
        *_records(50),
        _record("train/a/copy", "train/a/1"),
        _record("train/b/bad", problem="empty file"),
    ]
    shuffled = random.Random(0).sample(records, len(records))
    assert _plan(records) == _plan(shuffled)


def test_copies_in_one_class_are_used_once_by_the_most_held_out_split():
    def copies(*places: str) -> list[Record]:
        return [_record(f"{place}/a/{place}-{'-'.join(places)}", "-".join(places), place) for place in places]

    own = [record for split in ("train", "eval", "test") for record in _records(5, split)]
    records = [*own, *copies("train", "eval", "test"), *copies("train", "eval"), *copies("train", "test")]
    plan = _plan(records, ("train", "eval", "test"))
    assert plan.duplicates == [
        ("eval/a/eval-train-eval-test", "test/a/test-train-eval-test"),
        ("train/a/train-train-eval", "eval/a/eval-train-eval"),
        ("train/a/train-train-eval-test", "test/a/test-train-eval-test"),
        ("train/a/train-train-test", "test/a/test-train-test"),
    ]
    assert [len(plan.splits[split]) for split in ("train", "eval", "test")] == [10, 11, 12]


def test_the_first_name_wins_among_copies_in_one_folder():
    plan = _plan([*_records(50), _record("train/a/z", "same"), _record("train/a/y", "same")])
    assert plan.duplicates == [("train/a/z", "train/a/y")]


def test_one_picture_under_two_classes_is_quarantined_under_both():
    twice = [_record(f"train/{name}", "same") for name in ("a/x", "a/y", "b/x")]
    plan = _plan([*_records(50), *twice, _record("train/b/bad", problem="empty file")])
    reason = "same picture under two classes: a, b"
    assert plan.quarantined == [
        ("train/a/x", reason),
        ("train/a/y", reason),
        ("train/b/bad", "empty file"),
        ("train/b/x", reason),
    ]
    assert plan.used == 100


def test_too_many_quarantined_files_are_told_with_reasons_and_examples():
    bad = [_record(f"train/a/{index}.jpg", problem="truncated or damaged") for index in range(3)]
    bad += [_record("train/b/y.jpg", problem="empty file"), _record("train/b/x.jpg", problem="empty file")]
    bad += [
        _record("train/b/odd\n.gif", problem="more than 10 pixels"),
        _record("train/b/.DS", problem="rare"),
    ]
    records = [*_records(20), *bad]
    with pytest.raises(UserError) as error:
        _plan(records, max_quarantined_fraction=0.1)
    assert str(error.value) == (
        "7 of 47 files cannot be used, more than max_quarantined_fraction 0.1 allows: "
        "3 x truncated or damaged (train/a/0.jpg); 2 x empty file (train/b/x.jpg); 1 x rare (train/b/.DS)"
    )
    _plan(records, max_quarantined_fraction=7 / 47)


def test_a_class_that_train_lost_is_told():
    lost = [
        _record("train/b/1", problem="empty file"),
        _record("train/b/2", "2"),
        _record("test/b/2", "2", "test"),
    ]
    records = [record for record in _records(50) if record.file.class_name == "a"] + lost
    records.append(_record("test/a/1", split="test"))
    with pytest.raises(UserError) as error:
        _plan(records, ("train", "test"))
    assert str(error.value) == (
        "the class 'b' has no usable picture left in train: 1 went to eval or test, "
        "the rest are duplicates or cannot be used; add pictures of it"
    )


def test_an_empty_split_is_told():
    with pytest.raises(UserError) as error:
        _plan(_records(2), eval_fraction=1e-9)
    assert str(error.value) == (
        "the eval split is empty, with 4 usable pictures in all; "
        "add pictures, give it a folder of its own, or raise eval_fraction"
    )
    with pytest.raises(UserError, match="with 40 usable pictures in 2 groups, which no cut divides; add"):
        _plan([_grouped(record, record.file.class_name) for record in _records(20)])

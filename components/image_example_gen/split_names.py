"""Which folders are named as splits: `train`, `Testing`, `validation_set`, `seg_train` beside `seg_test` and so on."""

import re
from collections import defaultdict
from collections.abc import Iterable

from common.examples import EVAL, TEST, TRAIN

_SPLITS = {
    TRAIN: ("train", "training"),
    EVAL: ("val", "valid", "validation", "eval", "evaluation", "dev"),
    TEST: ("test", "testing", "holdout"),
}
_SPLIT_OF = {word: split for split, words in _SPLITS.items() for word in words}
# What is added to such a word, or stands alone for "the pictures".
_AFFIX = re.compile("data|dataset|dir|files|folder|images?|imgs?|photos?|pics?|pictures?|samples|sets?|split|subset")
_UNKNOWN = ("unknown", "unlabeled", "unlabelled")
_PART = re.compile(r"[A-Za-z]+|\d+|[^\x00-\x7f]+")
_HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# A word with an affix behind it, as in "trainset".
_JOINED = re.compile(rf"({'|'.join(_SPLIT_OF)})({_AFFIX.pattern})")


def find(names: Iterable[str]) -> dict[str, str]:
    """The split of each folder that is named as one.

    Case, separators and usual affixes do not matter: `TEST`, `train_images`, `ValidationSet`, `hold-out`. Any other
    affix does not either if folders of two or more splits have the same, such as `seg_train` and `seg_test`.

    Args:
      names: of the folders that lie beside each other.
    """
    found: dict[str, str] = {}
    with_affix: dict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
    for name in names:
        split, rest = _taken_apart(name)
        if split and rest:
            with_affix[rest][name] = split
        elif split:
            found[name] = split
    for siblings in with_affix.values():
        if len(set(siblings.values())) > 1:
            found |= siblings
    return found


def of_word(name: str) -> str:
    """The split that a name stands for without any but the usual affixes; empty for none."""
    split, rest = _taken_apart(name)
    return "" if rest else split


def is_general(name: str) -> bool:
    """Whether a folder is named for what any split holds, and not as a class: `images`, `test_data`, `unknown`."""
    return all(_AFFIX.fullmatch(word) or word in _SPLIT_OF or word in _UNKNOWN for word in _words(name))


def _taken_apart(name: str) -> tuple[str, tuple[str, ...]]:
    """The split that a name has a single word for, if so, and its other words but the usual affixes."""
    words = _words(name)
    splits = [_SPLIT_OF[word] for word in words if word in _SPLIT_OF]
    if len(splits) != 1:
        return "", ()
    return splits[0], tuple(word for word in words if not (word in _SPLIT_OF or _AFFIX.fullmatch(word)))


def _words(name: str) -> list[str]:
    """A name's words in lower case; those that are written as one are taken apart: `TrainSet`, `trainset`."""
    words: list[str] = []
    for part in _PART.findall(name):
        joined = _JOINED.fullmatch(part.lower())
        words += joined.groups() if joined else [word.lower() for word in _HUMP.findall(part) or [part]]
        if words[-2:] == ["hold", "out"]:
            words[-2:] = ["holdout"]
    return words

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import encode, make_scene
from PIL import Image, ImageEnhance

from imaging.likeness import Hashes, groups, nearest, parse
from imaging.normalising import examine

_RNG = np.random.default_rng(0)


def _hash(image: Image.Image, format: str = "PNG", **options: object) -> str:
    return examine(encode(image, format, **options), 1_000_000).perceptual_hash


def _one(query: str, *references: str) -> tuple[int, int]:
    places, distances = nearest(parse([query]), parse(list(references)))
    return int(places[0]), int(distances[0])


@pytest.mark.parametrize(
    "copy",
    [
        lambda image: _hash(image, "JPEG", quality=50),
        lambda image: _hash(image, "WEBP", quality=30),
        lambda image: _hash(image.resize((160, 120))),
        lambda image: _hash(image.resize((500, 375))),
        lambda image: _hash(image.crop((3, 2, 317, 238))),
        lambda image: _hash(image.convert("L")),
        lambda image: _hash(ImageEnhance.Brightness(image).enhance(0.8)),
        lambda image: _hash(ImageEnhance.Contrast(image).enhance(0.8).resize((200, 150)), "JPEG", quality=70),
    ],
    ids=["jpeg", "webp", "smaller", "larger", "cropped", "grey", "darker", "all"],
)
def test_copies_are_like_their_picture_and_like_no_other(copy: Callable[[Image.Image], str]):
    scenes = [make_scene(seed) for seed in range(12)]
    originals, copies = parse([_hash(scene) for scene in scenes]), parse([copy(scene) for scene in scenes])
    assert nearest(copies, originals)[0].tolist() == list(range(12))
    assert nearest(copies[:1], originals[1:])[0].tolist() == [-1]


def test_a_mirrored_picture_is_another():
    scene = make_scene(0)
    assert _one(_hash(scene.transpose(Image.Transpose.FLIP_LEFT_RIGHT)), _hash(scene)) == (-1, 0)


def _random(count: int) -> Hashes:
    return _RNG.integers(0, 1 << 64, (count, 4), dtype=np.uint64)


def _differ(hashes: Hashes, coarse: int, fine: int) -> Hashes:
    """The hashes with so many random bits of the first 64, and of the others, turned round."""
    bits = np.unpackbits(hashes.view(np.uint8), axis=1)
    for row in bits:
        row[_RNG.choice(64, coarse, replace=False)] ^= 1
        row[64 + _RNG.choice(192, fine, replace=False)] ^= 1
    return np.packbits(bits, axis=1).view(np.uint64)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 9), st.integers(0, 50))
def test_all_are_found_up_to_the_allowed_distance_and_none_beyond(coarse: int, fine: int):
    references = _random(200)
    queries = _differ(references[:30], coarse, fine)
    places, distances = nearest(queries, references)
    if coarse <= 7 and coarse + fine <= 48:
        assert places.tolist() == list(range(30))
        assert set(distances) == {coarse + fine}
    else:
        assert set(places) == {-1}
        assert set(distances) == {0}


def test_the_nearest_is_found_and_of_equally_near_ones_the_first():
    query = _random(1)
    near, nearer = _differ(query, 2, 5), _differ(query, 3, 1)
    references = np.concatenate([_random(50), near, nearer, _random(5), nearer])
    assert [values.tolist() for values in nearest(query, references)] == [[51], [4]]


def test_groups_join_all_that_are_alike_and_nothing_else():
    # A chain of which each is like the next, pairs, and the rest by themselves.
    hashes = _RNG.integers(0, 2**64, (3000, 4), dtype=np.uint64)
    for place in range(1, 40):
        hashes[place] = hashes[place - 1] ^ np.array([0, 2**20 - 1, 0, 2**place], np.uint64)
    hashes[1000:1100] = hashes[2000:2100]
    numbers = groups(hashes)
    expected = np.arange(3000)
    expected[:40] = 0
    expected[1000:1100] = expected[2000:2100]
    assert len(set(zip(numbers.tolist(), expected.tolist(), strict=True))) == len(set(numbers.tolist())) == 3000 - 139
    assert groups(hashes[:0]).tolist() == []


def test_without_references_or_queries_nothing_is_found():
    some, none = _random(3), parse([])
    assert nearest(some, none)[0].tolist() == [-1, -1, -1]
    assert nearest(none, some)[0].tolist() == []


@pytest.mark.parametrize(
    "hashes",
    [
        pytest.param(np.zeros((30_000, 4), np.uint64), id="blank pictures"),
        pytest.param(np.arange(120_000, dtype=np.uint64).reshape(-1, 4)[:, ::-1] & np.uint64(1023), id="a crowd"),
    ],
)
def test_many_like_pictures_take_little_memory(hashes: Hashes):
    queries, references = hashes[:10_000], hashes[10_000:]
    tracemalloc.start()
    places, _ = nearest(queries, references)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(places) == 10_000
    assert places[0] >= 0
    assert peak < 150 << 20  # bytes; all pairs would take 200 million times some

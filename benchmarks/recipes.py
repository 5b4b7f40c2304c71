"""Test accuracy of training recipes on folders of class folders, compared in pairs with the converged head alone.

    python -m benchmarks.recipes CACHE --data FOLDER [--data FOLDER ...] [--train N ...] [--seeds 5] [--recipe NAME ...]

For each data set, size and seed, a stratified random split is drawn: N pictures to train on, N * 15 / 70 as the eval
split, and of the others at most 240 to test. Every recipe gets the same splits. Those of stage 2 start from the same
converged head and train the layers that the product trains by default.

Two tables are printed, in Markdown: each data set's results, mean [lowest, highest] over the seeds; and the differences
from the converged head, those of stage 2 also as they are where it is kept only if a rule, applied to the eval split,
says so. Intervals are of 95%, by the bootstrap: data sets are drawn with replacement, and seeds within each, as what is
asked is how another data set would fare.

CACHE keeps the activations and bottlenecks of each picture and of its mirror image, 200 KB each for VGG16, and
`recipes.jsonl`, a line a measurement: what is measured already is not measured again, so a run may be stopped. Four
epochs of stage 2 on 200 pictures take 21 seconds of processor time in bfloat16 and 32 in float32 (AMD EPYC with
AVX512_BF16). The views of the two augmented recipes are computed anew each time, which is not in their seconds.
"""

import argparse
import json
import math
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from sklearn.model_selection import train_test_split

from benchmarks import cached_features, fine_tuning
from benchmarks.cached_features import Pictures, Views
from benchmarks.fine_tuning import AVERAGED, OWN, Activations, Floats, Halves, Ints, Recipe, losses, predict
from common.examples import EVAL, TRAIN, split_folder
from components.report.numbers import calibration
from components.trainer import converged_head
from components.trainer.batches import Features
from modeling import features
from modeling.head import build_head, on_feature_maps
from modeling.precision import arithmetic

Row = dict[str, Any]

BASELINE = "converged head"
STAGE_2 = {
    "1e-5 flat, 4 epochs": Recipe(4, 1e-5, cosine=False),
    "1e-5 flat, 4 epochs, mirrored activations": Recipe(4, 1e-5, cosine=False, mirror="activations"),
    "3e-5 cosine, 4 epochs": Recipe(4, 3e-5),
    "3e-5 cosine, 10 epochs": Recipe(10, 3e-5),
    "1e-4 cosine, 4 epochs": Recipe(4, 1e-4),
    "1e-4 cosine, 10 epochs": Recipe(10, 1e-4),
    "3e-5 cosine, 4 epochs, mirrored activations": Recipe(4, 3e-5, mirror="activations"),
    "3e-5 cosine, 4 epochs, mirrored pictures": Recipe(4, 3e-5, mirror="pictures"),
    "3e-5 cosine, 4 epochs, head fixed": Recipe(4, 3e-5, head_factor=0),
    "3e-5 cosine, 4 epochs, head 10x": Recipe(4, 3e-5, head_factor=10),
    "3e-5 cosine, 4 epochs, each layer 0.3x": Recipe(4, 3e-5, layer_factor=0.3),
    "3e-5 cosine, 4 epochs, mixup": Recipe(4, 3e-5, mixup=0.2),
    "3e-5 cosine, 4 epochs, augmented as by the product": Recipe(4, 3e-5, augmentation="product"),
    "3e-5 cosine, 4 epochs, RandAugment": Recipe(4, 3e-5, augmentation="randaugment"),
}

_METRICS = ("accuracy", "loss", "ece")
# Stage 2 is kept if the loss on eval fell by more than so many standard errors of the pictures' mean difference.
_RULES = {
    ", kept if the loss on eval falls": 0,
    ", kept if it falls by 1 standard error": 1,
    ", kept if it falls by 2 standard errors": 2,
}
_MOST_TESTED = 240
_DROPOUT = 0.1
_RESAMPLES = 2000


class Splits(NamedTuple):
    """Rows of a data set's pictures."""

    train: Ints
    held_out: Ints
    test: Ints


class Study(NamedTuple):
    """A data set as one seed splits it."""

    pictures: Pictures
    views: Views
    mirrored: Views
    splits: Splits
    seed: int

    def labels(self, rows: Ints) -> Ints:
        """Class ids of some pictures."""
        return self.pictures.labels[rows]


def main() -> None:
    """Measures what is missing and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path, help="folder for features and results")
    parser.add_argument("--data", type=Path, action="append", required=True, help="folder of class folders")
    parser.add_argument("--train", type=int, nargs="+", default=[200], help="sizes of the training split; default 200")
    parser.add_argument("--seeds", type=int, default=5, help="splits of each data set; default 5")
    parser.add_argument("--recipe", action="append", choices=[*HEADS, *STAGE_2], help="default: all")
    parser.add_argument("--most", type=int, default=1000, help="pictures used of a data set; default 1000")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32", help="of stage 2")
    options = parser.parse_args()
    recipes = options.recipe or [*HEADS, *STAGE_2]
    results = options.cache / "recipes.jsonl"
    options.cache.mkdir(parents=True, exist_ok=True)
    for folder in options.data:
        pictures = cached_features.read_pictures(folder, options.most)
        views, mirrored = (cached_features.views(pictures, options.cache, flag) for flag in (False, True))
        for seed in range(options.seeds):
            for size in options.train:
                study = Study(pictures, views, mirrored, _split(pictures.labels, size, seed), seed)
                case = {"data": pictures.name, "train": size, "seed": seed, "precision": options.precision}
                done = {row["recipe"] for row in _read(results) if case.items() <= row.items()}
                missing = [recipe for recipe in (BASELINE, *recipes) if recipe not in done]
                for row in _measure(study, missing, options.precision):
                    with results.open("a") as file:
                        file.write(json.dumps(case | row) + "\n")
                    print(f"{pictures.name}, {size}, seed {seed}: {row['recipe']}: {row['accuracy']:.3f}", flush=True)
    _print_tables(_read(results))


def _split(labels: Ints, train: int, seed: int) -> Splits:
    pool, test = train_test_split(
        np.arange(len(labels)), train_size=train + round(train * 15 / 70), stratify=labels, random_state=seed
    )
    chosen, held_out = train_test_split(pool, train_size=train, stratify=labels[pool], random_state=seed)
    return Splits(np.sort(chosen), np.sort(held_out), test[:_MOST_TESTED])


def _read(results: Path) -> list[Row]:
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def _measure(study: Study, recipes: Sequence[str], precision: str) -> Iterator[Row]:
    """The results of some recipes, "seconds" of processor time in training among them."""
    for name in recipes:
        if name in HEADS:
            began = time.process_time()
            probabilities = HEADS[name](study)
            seconds = time.process_time() - began
            yield {"recipe": name, "seconds": seconds} | _metrics(probabilities, study.labels(study.splits.test))
    if any(name in STAGE_2 for name in recipes):
        yield from _fine_tune(study, [name for name in recipes if name in STAGE_2], precision)


def _metrics(probabilities: Floats, labels: Ints) -> Row:
    right = probabilities.argmax(axis=1) == labels
    return {
        "accuracy": float(right.mean()),
        "loss": float(losses(probabilities, labels).mean()),
        "ece": calibration(probabilities.max(axis=1), right).error,
    }


def _converged(study: Study, penalty: float | None = None, refit: bool = False, each: bool = False) -> Floats:
    """Test probabilities of the head that the product trains.

    Args:
      study: of which data.
      penalty: the head's; None for the product's choice.
      refit: whether it is trained again on the training and eval splits together, with the penalty chosen before.
      each: whether each value of the bottlenecks is scaled to a variance of 1 before.
    """
    values, splits = study.views.bottlenecks, study.splits
    if each:
        values = values / np.maximum(values[splits.train].std(axis=0), 1e-6)
    head, chosen = _train_head(study, values, splits.train, penalty)
    if refit:
        head, _ = _train_head(study, values, np.concatenate([splits.train, splits.held_out]), chosen)
    return head(values[splits.test], training=False).numpy()


def _train_head(study: Study, values: Floats, train: Ints, penalty: float | None) -> tuple[keras.Model, float]:
    """A converged head and its penalty."""
    head = _new_head(study)
    with tempfile.TemporaryDirectory() as folder:
        trials = converged_head.fit(head, _as_artifact(study, values, train, folder), None, penalty)
    return head, next(trial.penalty for trial in trials if trial.chosen)


def _by_adam(study: Study) -> Floats:
    """Test probabilities of a head that is trained as in the article: Adam at 0.001 for 5 epochs."""
    values, splits = study.views.bottlenecks, study.splits
    keras.utils.set_random_seed(study.seed)
    head = _new_head(study)
    head.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    head.fit(
        values[splits.train],
        study.labels(splits.train),
        epochs=5,
        validation_data=(values[splits.held_out], study.labels(splits.held_out)),
        callbacks=[keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)],
        verbose=0,
    )
    return head(values[splits.test], training=False).numpy()


HEADS: dict[str, Callable[[Study], Floats]] = {
    BASELINE: _converged,
    "head by Adam, 5 epochs": _by_adam,
    "head, penalty 0.1": lambda study: _converged(study, penalty=0.1),
    "head, each value scaled": lambda study: _converged(study, each=True),
    "head, trained again on train and eval": lambda study: _converged(study, refit=True),
}


def _new_head(study: Study) -> keras.Model:
    return build_head(study.views.bottlenecks.shape[1], len(study.pictures.classes), _DROPOUT)


def _as_artifact(study: Study, values: Floats, train: Ints, folder: str) -> Features:
    """Bottlenecks as the product stores them."""
    rows = {TRAIN: train, EVAL: study.splits.held_out}
    for split, chosen in rows.items():
        directory = Path(split_folder(folder, split))
        directory.mkdir()
        with tf.io.TFRecordWriter(str(directory / features.file_name(features.BOTTLENECKS, 0, 1, 0))) as writer:
            for row in chosen:
                label = int(study.pictures.labels[row])
                writer.write(features.encode(values[row], label, b""))
    features.FeaturesInfo(
        backbone=cached_features.BACKBONE,
        image_size=cached_features.SIZE,
        fine_tune_index=None,
        boundary=0,
        shapes={features.BOTTLENECKS: [values.shape[1]]},
        views=1,
        pictures={split: len(chosen) for split, chosen in rows.items()},
        precision="",
        weights="",
        weights_sha256="",
        identity="",
    ).write(folder)
    return Features(folder, batch_size=32, seed=study.seed)


def _fine_tune(study: Study, names: Sequence[str], precision: str) -> Iterator[Row]:
    """The results of recipes of stage 2, each as it is, with averaged weights, and half way from stage 1's weights.

    Half way is the mean of the weights before and after (M. Wortsman et al., "Robust fine-tuning of zero-shot models",
    2022).
    """
    splits, activations = study.splits, study.views.activations
    data = Activations(
        train=activations[splits.train][None],
        mirrored=study.mirrored.activations[splits.train],
        labels=study.labels(splits.train),
        held_out=activations[splits.held_out],
        held_out_labels=study.labels(splits.held_out),
    )
    tested, test_labels = activations[splits.test], study.labels(splits.test)
    with arithmetic(precision):
        suffix = cached_features.cut(cached_features.build_backbone()).suffix
        assert suffix is not None
        head, _ = _train_head(study, study.views.bottlenecks, splits.train, None)
        model = on_feature_maps(suffix, head, "fine_tuned")
    first = fine_tuning.weights_of(model)
    before = losses(predict(model, data.held_out), data.held_out_labels)
    for name in names:
        recipe = STAGE_2[name]
        fine_tuning.assign(model, first)
        seen = data._replace(train=_random_views(study, recipe)) if recipe.augmentation else data
        began = time.process_time()
        best = fine_tuning.tune(model, recipe, seen, study.seed)
        seconds = time.process_time() - began
        half_way = [(old + new) / 2 for old, new in zip(first, best[OWN], strict=True)]
        for kind, weights in (("", best[OWN]), (", averaged", best[AVERAGED]), (", half way", half_way)):
            fine_tuning.assign(model, weights)
            gains = before - losses(predict(model, data.held_out), data.held_out_labels)
            yield {
                "recipe": name + kind,
                "seconds": seconds,
                "gain": float(gains.mean()),
                "gain_error": float(gains.std(ddof=1) / math.sqrt(len(gains))),
            } | _metrics(predict(model, tested), test_labels)


def _random_views(study: Study, recipe: Recipe) -> Halves:
    """Activations of one view of each training picture an epoch; too many to keep."""
    paths = [study.pictures.paths[row] for row in study.splits.train]
    return cached_features.augmented(paths, recipe.augmentation, recipe.epochs, study.seed)


def _print_tables(rows: Sequence[Row]) -> None:
    by_case: dict[tuple[str, int, str], dict[str, dict[int, Row]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        by_case[row["data"], row["train"], row["precision"]][row["recipe"]][row["seed"]] = row
    _print_header("data, pictures to train", "recipe", "seeds", *_METRICS, "seconds")
    for (data, train, _), by_recipe in by_case.items():
        for recipe, by_seed in by_recipe.items():
            values = {name: [row[name] for row in by_seed.values()] for name in (*_METRICS, "seconds")}
            means = {name: np.mean(found) for name, found in values.items()}
            spread = f"[{min(values['accuracy']):.3f}, {max(values['accuracy']):.3f}]"
            print(
                f"| {data}, {train} | {recipe} | {len(by_seed)} | {means['accuracy']:.3f} {spread} | "
                f"{means['loss']:.3f} | {means['ece']:.3f} | {means['seconds']:.1f} |"
            )
    _print_header("recipe", "pairs", "kept", *_METRICS)
    for recipe in dict.fromkeys(row["recipe"] for row in rows):
        if recipe != BASELINE:
            _print_differences(recipe, [cells for cells in by_case.values() if recipe in cells])


def _print_header(*names: str) -> None:
    print(f"\n| {' | '.join(names)} |\n|{'---|' * len(names)}")


def _print_differences(recipe: str, cases: Sequence[dict[str, dict[int, Row]]]) -> None:
    """A line for the recipe as it is, and one for each rule by which stage 2 might be undone."""
    is_stage_2 = any("gain" in row for case in cases for row in case[recipe].values())
    for rule, errors in {"": None, **(_RULES if is_stage_2 else {})}.items():
        cells, kept, pairs = [], 0, 0
        for metric in _METRICS:
            differences = []
            kept = pairs = 0
            for case in cases:
                found = []
                for seed, row in case[recipe].items():
                    is_kept = errors is None or row["gain"] > errors * row["gain_error"]
                    found.append((row[metric] - case[BASELINE][seed][metric]) * is_kept)
                    kept, pairs = kept + is_kept, pairs + 1
                differences.append(np.array(found))
            cells.append("{:+.3f} [{:+.3f}, {:+.3f}]".format(*_interval(differences)))
        print(f"| {recipe}{rule} | {pairs} | {kept} | {' | '.join(cells)} |")


def _interval(differences: Sequence[Floats]) -> tuple[float, float, float]:
    """Mean over data sets of the mean over seeds, and the limits of its 95% interval; one array a data set."""
    rng = np.random.default_rng(0)
    means = []
    for _ in range(_RESAMPLES):
        sets = (differences[i] for i in rng.integers(len(differences), size=len(differences)))
        means.append(np.mean([rng.choice(values, len(values)).mean() for values in sets]))
    low, high = np.percentile(means, [2.5, 97.5])
    return float(np.mean([values.mean() for values in differences])), float(low), float(high)


if __name__ == "__main__":
    main()

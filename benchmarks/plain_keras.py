"""The classifier as a tutorial writes it: one Keras model, which sees each picture anew in each epoch.

    python -m benchmarks.plain_keras FOLDER [--weights FILE] [--stage-2] [--seed N]

FOLDER holds train, eval and test, each with a folder a class. Settings are those of configs/cats_and_dogs.yaml. Prints
a line of JSON after each part, which `article` reads. Uses nothing of this project.
"""

import argparse
import json
import resource

import keras

SIZE = 224


def main() -> None:
    """Trains and tests."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--weights", default="imagenet", help="as keras.applications takes them; default imagenet")
    parser.add_argument("--stage-2", action="store_true", help="trains block5 too")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)

    train, held_out, test = (
        keras.utils.image_dataset_from_directory(
            f"{options.folder}/{split}", image_size=(SIZE, SIZE), batch_size=32, shuffle=split == "train", verbose=False
        )
        for split in ("train", "eval", "test")
    )
    backbone = keras.applications.VGG16(include_top=False, weights=options.weights, input_shape=(SIZE, SIZE, 3))
    backbone.trainable = False
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomRotation(0.05),
            keras.layers.RandomZoom(0.1),
            keras.layers.Lambda(keras.applications.vgg16.preprocess_input),
            backbone,
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(len(train.class_names), activation="softmax"),
        ]
    )

    def fit(rate: float, epochs: int) -> None:
        model.compile(keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(train, validation_data=held_out, epochs=epochs, verbose=0)

    fit(1e-3, 5)
    _tell("stage 1")
    _tell("test 1", accuracy=model.evaluate(test, verbose=0)[1])
    if options.stage_2:
        backbone.trainable = True
        for layer in backbone.layers[:15]:
            layer.trainable = False
        fit(1e-5, 4)
        _tell("stage 2")
        _tell("test 2", accuracy=model.evaluate(test, verbose=0)[1])


def _tell(done: str, **found: float) -> None:
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"done": done, "peak_bytes": peak_bytes, **found}), flush=True)


if __name__ == "__main__":
    main()

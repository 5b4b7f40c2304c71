"""The requests that README.md shows, sent as they stand there: what TensorFlow Serving would do with them is right.

Each goes to a stand-in for the server that checks it against the server's protos and the exported model's signature,
and answers with the model.
"""

import base64
import contextlib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent import futures
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
import steps
import tensorflow as tf
from google.protobuf import text_format
from pictures import encode
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2, prediction_service_pb2_grpc
from tensorflow_serving.config import model_server_config_pb2

from pipeline import serving_manifests

if TYPE_CHECKING:
    from tfx.types.standard_artifacts import Model

REPOSITORY = Path(__file__).resolve().parents[2]
SIGNATURE = "serving_default"


def _blocks() -> list[str]:
    """The indented blocks of the README's chapter on serving."""
    (chapter,) = re.findall(r"^## Serving\n(.*?)^## ", (REPOSITORY / "README.md").read_text(), re.M | re.S)
    found = re.findall(r"(?:^ {4}.*\n(?:\n(?= {4}))?)+", chapter, re.M)
    return [re.sub("^    ", "", block, flags=re.M) for block in found]


def _block(word: str) -> str:
    (block,) = [block for block in _blocks() if word in block]
    return block


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A JPEG that is longer than a command's argument may be."""
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3)).astype(np.uint8)
    path = tmp_path / "picture.jpg"
    path.write_bytes(encode(noise, "JPEG", quality=95))
    assert path.stat().st_size > 128 << 10
    return path


@pytest.fixture(scope="module")
def signature(model: "Model") -> meta_graph_pb2.SignatureDef:
    """The signature as the file says it, which is all that the server knows."""
    saved = saved_model_pb2.SavedModel.FromString(Path(model.uri, "Format-Serving", "saved_model.pb").read_bytes())
    (graph,) = saved.meta_graphs
    assert list(graph.meta_info_def.tags) == ["serve"]
    return graph.signature_def[SIGNATURE]


def _shape(info: meta_graph_pb2.TensorInfo) -> list[int]:
    return [dimension.size for dimension in info.tensor_shape.dim]


def _ask(model: Any, signature: meta_graph_pb2.SignatureDef, inputs: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """What the model says to a request's tensors, which must be those of the signature."""
    assert inputs.keys() == signature.inputs.keys()
    for name, proto in inputs.items():
        assert proto.dtype == signature.inputs[name].dtype
        shape = [dimension.size for dimension in proto.tensor_shape.dim]
        assert len(shape) == len(_shape(signature.inputs[name]))
        assert all(expected in (-1, size) for size, expected in zip(shape, _shape(signature.inputs[name]), strict=True))
    tensors = {name: tf.constant(tf.make_ndarray(proto)) for name, proto in inputs.items()}
    answer = model.signatures[SIGNATURE](**tensors)
    assert answer.keys() == signature.outputs.keys()
    return answer


def test_the_signature_is_one_that_the_server_can_call(signature: meta_graph_pb2.SignatureDef) -> None:
    assert signature.method_name == "tensorflow/serving/predict"
    assert {name: (info.dtype, _shape(info)) for name, info in signature.inputs.items()} == {
        "image_bytes": (tf.string.as_datatype_enum, [-1])
    }
    assert {name: (info.dtype, _shape(info)) for name, info in signature.outputs.items()} == {
        "probabilities": (tf.float32.as_datatype_enum, [-1, 3]),
        "label": (tf.string.as_datatype_enum, [-1]),
        "score": (tf.float32.as_datatype_enum, [-1]),
        "error": (tf.string.as_datatype_enum, [-1]),
    }
    # The server writes strings of such a name in base64, and class names are for people.
    assert not [name for name in signature.outputs if name.endswith("_bytes")]


def test_the_container_serves_what_the_requests_ask_for() -> None:
    words = shlex.split(_block("docker run").replace("\\\n", " "))
    options = [words[index + 1] for index, word in enumerate(words) if word in ("-p", "-e", "--mount")]
    ports = {option.partition(":")[0] for option in options if ":" in option}
    (name,) = [option.removeprefix("MODEL_NAME=") for option in options if option.startswith("MODEL_NAME=")]
    (mount,) = [dict(re.findall("([a-z]+)=([^,]+)", option)) for option in options if option.startswith("type=")]
    assert words[-1] == serving_manifests.IMAGE
    assert mount == {"type": "bind", "source": "$PWD/output/serving", "target": f"/models/{name}"}
    assert f"http://localhost:8501/v1/models/{name}:predict" in _block("curl")
    assert f'request.model_spec.name = "{name}"' in _block("import grpc")
    assert '"localhost:8500"' in _block("import grpc")
    assert ports == {"8500", "8501"}


def test_the_rest_request_asks_for_the_picture(
    model: "Model", signature: meta_graph_pb2.SignatureDef, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    curl = picture.parent / "bin" / "curl"
    curl.parent.mkdir()
    curl.write_text("#!/bin/sh\ncat > body; printf '%s\\n' \"$@\" > arguments\n")
    curl.chmod(0o755)
    monkeypatch.setenv("PATH", str(curl.parent), prepend=":")
    subprocess.run(["bash", "-euo", "pipefail", "-c", _block("curl")], cwd=picture.parent, check=True)
    arguments = (picture.parent / "arguments").read_text().splitlines()
    assert arguments == ["--silent", "--data-binary", "@-", "http://localhost:8501/v1/models/classifier:predict"]

    served = steps.serving(model)
    request = _from_json((picture.parent / "body").read_text(), signature)
    request = predict_pb2.PredictRequest.FromString(request.SerializeToString())
    answer = _ask(served, signature, request.inputs)
    expected = served.signatures[SIGNATURE](image_bytes=tf.constant([picture.read_bytes()]))
    for name, tensor in expected.items():
        np.testing.assert_array_equal(answer[name], tensor)


def _from_json(text: str, signature: meta_graph_pb2.SignatureDef) -> predict_pb2.PredictRequest:
    """A REST request as the server understands it: an object an instance, binary values in base64 under `b64`."""
    body = json.loads(text)
    assert body.keys() == {"instances"}
    request = predict_pb2.PredictRequest()
    for name, info in signature.inputs.items():
        values = [instance[name] for instance in body["instances"]]
        assert all(value.keys() == {"b64"} for value in values)
        decoded = [base64.b64decode(value["b64"], validate=True) for value in values]
        request.inputs[name].CopyFrom(tf.make_tensor_proto(decoded, dtype=info.dtype))
    return request


class _Server(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, model: Any, signature: meta_graph_pb2.SignatureDef) -> None:
        self._model = model
        self._signature = signature
        self.requests: list[predict_pb2.PredictRequest] = []

    def Predict(self, request: predict_pb2.PredictRequest, _: grpc.ServicerContext) -> predict_pb2.PredictResponse:
        self.requests.append(request)
        answer = _ask(self._model, self._signature, request.inputs)
        outputs = {name: tf.make_tensor_proto(tensor) for name, tensor in answer.items()}
        return predict_pb2.PredictResponse(outputs=outputs)


@contextlib.contextmanager
def _serving(servicer: _Server) -> Iterator[int]:
    with futures.ThreadPoolExecutor(1) as threads:
        server = grpc.server(threads)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(servicer, server)
        port = server.add_insecure_port("localhost:0")
        server.start()
        try:
            yield port
        finally:
            server.stop(None).wait()


def test_the_grpc_client_gets_the_models_answer(
    model: "Model", signature: meta_graph_pb2.SignatureDef, picture: Path
) -> None:
    served = steps.serving(model)
    servicer = _Server(served, signature)
    with _serving(servicer) as port:
        client = _block("import grpc").replace("localhost:8500", f"localhost:{port}")
        command = [sys.executable, "-c", client]
        done = subprocess.run(command, cwd=picture.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (request,) = servicer.requests
    assert (request.model_spec.name, request.model_spec.signature_name) == ("classifier", SIGNATURE)
    expected = served.signatures[SIGNATURE](image_bytes=tf.constant([picture.read_bytes()]))
    assert done.stdout == f"{expected['label'].numpy()} {expected['score'].numpy()}\n"


def test_the_server_warms_up_with_a_request_that_the_model_answers(
    model: "Model", signature: meta_graph_pb2.SignatureDef
) -> None:
    file = Path(model.uri, "Format-Serving", "assets.extra", "tf_serving_warmup_requests")
    (record,) = tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    log = prediction_log_pb2.PredictionLog.FromString(record)
    assert log.SerializeToString(deterministic=True) == record
    assert log.WhichOneof("log_type") == "predict_log"
    request = log.predict_log.request
    assert request.model_spec.signature_name == SIGNATURE
    answer = _ask(steps.serving(model), signature, request.inputs)
    assert answer["error"].numpy().tolist() == [b""]


@pytest.mark.parametrize(("version", "policy"), [(None, "latest"), (7, "specific")])
def test_the_server_reads_the_configuration_that_is_deployed(version: int | None, policy: str) -> None:
    storage = serving_manifests.Storage("pvc", "classifier", "pipeline/serving")
    server = serving_manifests.Server("cats", storage, version, 2, "4Gi", None)
    text = serving_manifests.tf_serving(server)[0]["data"]["models.config"]
    read = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    (config,) = read.model_config_list.config
    assert (config.name, config.base_path, config.model_platform) == ("cats", "/models/cats", "tensorflow")
    assert config.model_version_policy.WhichOneof("policy_choice") == policy
    assert list(config.model_version_policy.specific.versions) == ([] if version is None else [version])

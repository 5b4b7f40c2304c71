"""Chains of convolutions and poolings, such as VGG, run by ncnn instead of TensorFlow.

ncnn convolves with 3x3 kernels by Winograd's algorithm, in a fraction of the multiplications that TensorFlow's direct
convolution takes. The results differ by rounding alone.
"""

import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float32]

_MAGIC = 7767517  # first line of ncnn's description of a network
_FLOAT32 = np.array(0, "<u4")  # tells that the weights behind it are float32


class NcnnNetwork:
    """A model of which ncnn computes some of the layers' outputs, in float32.

    A picture takes one thread, as ncnn's own threads wait for one another in a loop that keeps the processor busy.
    """

    def __init__(self, model: keras.Model, outputs: Sequence[int], threads: int) -> None:
        """Converts the model, with the weights that it has.

        Args:
          model: what `conversion` takes.
          outputs: indices, in the model's `operations`, of those whose outputs are wanted.
          threads: pictures at a time.

        Raises:
          ImportError: ncnn is not installed.
          ValueError: as in `conversion`.
        """
        import ncnn  # only where it is chosen

        self._ncnn = ncnn
        self._outputs = [_blob(index) for index in outputs]
        self._net = ncnn.Net()
        self._net.opt.num_threads = 1
        self._net.opt.use_fp16_packed = self._net.opt.use_fp16_storage = self._net.opt.use_fp16_arithmetic = False
        description, weights = conversion(model)
        with tempfile.TemporaryDirectory() as folder:
            param, binary = (os.path.join(folder, name) for name in ("network.param", "network.bin"))
            with open(param, "w") as file:
                file.write(description)
            with open(binary, "wb") as file:
                for values in weights:
                    file.write(values.tobytes())
            if self._net.load_param(param) or self._net.load_model(binary):
                raise RuntimeError("ncnn cannot load the network that was written for it")
        self._pool = ThreadPoolExecutor(threads)

    def __call__(self, values: Values) -> list[Values]:
        """Runs the network.

        Args:
          values: the model's input, [batch, height, width, channels].

        Returns:
          Each wanted output, [batch, height, width, channels].
        """
        maps = zip(*self._pool.map(self._run, values), strict=True)
        return [np.stack(one) for one in maps]

    def _run(self, picture: Values) -> list[Values]:
        """From [height, width, channels] to the same each."""
        extractor = self._net.create_extractor()
        channels = np.ascontiguousarray(picture.transpose(2, 0, 1))  # Mat refers to it without holding it
        # A copy, in which each channel begins where ncnn's instructions need it to.
        extractor.input(_blob(0), self._ncnn.Mat(channels).clone())
        found = []
        for output in self._outputs:
            failure, values = extractor.extract(output)
            if failure:
                raise RuntimeError(f"ncnn failed to compute {output} ({failure}), probably for want of memory")
            found.append(np.ascontiguousarray(np.array(values).transpose(1, 2, 0)))
        return found


def conversion(model: keras.Model) -> tuple[str, list[npt.NDArray[Any]]]:
    """A network as ncnn reads it: the description, and the arrays whose bytes are its file of weights.

    Args:
      model: a chain of convolutions that leave height and width as they are, with a bias and perhaps a ReLU, and of
        maximum poolings without padding.

    Raises:
      ValueError: it has something else.
    """
    first, *operations = model.operations
    lines = [f"Input {_blob(0)} 0 1 {_blob(0)}"]
    weights: list[npt.NDArray[Any]] = []
    previous = first
    for index, operation in enumerate(operations, 1):
        if operation.input is not previous.output:
            raise ValueError(f"{operation.name} does not follow {previous.name} alone")
        kind, parameters = _parameters(operation)
        lines.append(f"{kind} {_blob(index)} 1 1 {_blob(index - 1)} {_blob(index)} {parameters}")
        if isinstance(operation, keras.layers.Conv2D):
            kernel, bias = (np.asarray(values, "<f4") for values in operation.get_weights())
            weights += [_FLOAT32, kernel.transpose(3, 2, 0, 1), bias]
        previous = operation
    return f"{_MAGIC}\n{len(lines)} {len(lines)}\n" + "".join(f"{line}\n" for line in lines), weights


def _blob(index: int) -> str:
    """Name of an operation, and of its output."""
    return f"operation_{index}"


def _parameters(operation: keras.Operation) -> tuple[str, str]:
    """What ncnn calls an operation, and its parameters by number."""
    match operation:
        case keras.layers.Conv2D(
            strides=(1, 1), padding="same", dilation_rate=(1, 1), groups=1, use_bias=True, data_format="channels_last"
        ) if operation.activation in (keras.activations.linear, keras.activations.relu):
            height, width = operation.kernel_size
            return "Convolution", (
                f"0={operation.filters} 1={width} 11={height} 4=-233 5=1 6={operation.kernel.shape.num_elements()} "
                f"9={int(operation.activation is keras.activations.relu)}"
            )
        case keras.layers.MaxPooling2D(padding="valid", data_format="channels_last"):
            (height, width), (down, across) = operation.pool_size, operation.strides
            return "Pooling", f"0=0 1={width} 11={height} 2={across} 12={down} 5=1"
    raise ValueError(f"{operation.name} is a {type(operation).__name__} of another kind")

"""What the processor can do. Standard library only, as one answer has to be known before TensorFlow is imported."""

import functools
import os
from pathlib import Path

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"  # read when TensorFlow is imported


@functools.cache
def instructions() -> frozenset[str]:
    """The instruction sets of an x86 processor, as Linux names them: "avx2", "avx512_bf16". Empty of any other."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return frozenset(flags.partition(":")[2].split())


def let_tensorflow_use_onednn() -> None:
    """Switches oneDNN's kernels on where the processor has AVX2; to be called before TensorFlow is imported.

    TensorFlow does so itself only for processors with instructions for int8 or bfloat16. What a user has set stays.
    """
    if "avx2" in instructions():
        os.environ.setdefault(ONEDNN, "1")

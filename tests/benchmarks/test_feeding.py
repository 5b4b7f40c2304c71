"""What is estimated follows from the stages as the benchmark's page says."""

import pytest

from benchmarks import feeding


@pytest.mark.parametrize(("threads", "pictures_per_second"), [(8, 4000), (16, 5000)])
def test_threads_share_the_stages_and_one_of_them_writes(threads: int, pictures_per_second: float) -> None:
    stages = {"read_ms": 0.1, "decode_ms": 1.7, "augment_ms": 9.0, "cast_ms": 9.0, "encode_ms": 0.05, "write_ms": 0.15}
    row = feeding._estimate("small", "T4", threads, stages, 8000)
    assert row["pictures_per_second"] == pytest.approx(pictures_per_second)
    assert row["share"] == pytest.approx(pictures_per_second / 8000)
    assert feeding._estimate("small", "T4", threads, stages, 80)["share"] == 1

"""A step's processor time is what passed between its line and the one before."""

from benchmarks.measuring import Line
from benchmarks.pipeline_runs import cpu_by_step


def test_each_step_gets_the_time_up_to_its_line() -> None:
    texts = {
        "pictures   /data": 0.5,
        "": 1.0,
        "First      run    1.0s": 7.0,
        "Second     cached 0.1s": 7.25,
        "report": 9,
    }
    lines = [Line(text, 0.0, cpu_seconds) for text, cpu_seconds in texts.items()]
    assert cpu_by_step(lines, ["First", "Second"]) == {"First": 7.0, "Second": 0.25}

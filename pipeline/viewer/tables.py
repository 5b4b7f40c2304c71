"""Numbers of evaluations as plain rows, and a chart of them over time."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from modeling import evaluations
from pipeline.viewer import stored_evaluations, views

_DIFFERENCE = "_diff"  # TFMA's ending of a metric's difference to the baseline


def by_slice(evaluation: Path) -> list[dict[str, Any]]:
    """A row a slice, the whole test split first, with the metrics of all classes together.

    Args:
      evaluation: its folder.

    Returns:
      Rows of "slice" and metrics by name. "accuracy_diff" is the difference to the last blessed model's accuracy.
    """
    candidate, _ = views.load(evaluation)
    found = sorted(
        candidate.get_metrics_for_all_slices().items(), key=lambda item: (item[0] != (), views.title(item[0]))
    )
    return [
        {"slice": views.title(where)}
        | {name: value["doubleValue"] for name, value in sorted(metrics.items()) if "doubleValue" in value}
        for where, metrics in found
    ]


def over_time(output: Path) -> list[dict[str, Any]]:
    """A row an evaluation in the metadata store, the oldest first.

    Args:
      output: a run's output folder.

    Returns:
      Rows of "evaluation", the name of its folder, "finished", "blessed" and the whole test split's metrics by name.
    """
    return [
        {"evaluation": one.directory.name, "finished": one.finished, "blessed": one.blessed}
        | {
            name: value
            for name, value in sorted(evaluations.overall_metrics(str(one.directory)).items())
            if not name.endswith(_DIFFERENCE)
        }
        for one in stored_evaluations.history(output)
    ]


def chart(rows: list[dict[str, Any]]) -> Figure:
    """Draws the accuracies that `over_time` gives; a filled dot is a blessed model's."""
    figure = Figure(figsize=(7, 2.5), layout="constrained")
    axes = figure.subplots()
    places = range(len(rows))
    accuracies = [row["accuracy"] for row in rows]
    axes.plot(places, accuracies, color="#0969da", linewidth=1)
    for blessed, colour, label in ((True, "#0969da", "blessed"), (False, "white", "not blessed")):
        chosen = [place for place in places if rows[place]["blessed"] == blessed]
        axes.plot(chosen, [accuracies[i] for i in chosen], "o", color="#0969da", markerfacecolor=colour, label=label)
    axes.set_xticks(places, [row["evaluation"] for row in rows])
    axes.set_xlabel("evaluation")
    axes.set_ylabel("accuracy on the test split")
    axes.legend()
    return figure

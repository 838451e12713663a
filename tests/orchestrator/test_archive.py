import numpy as np

from orchestrator.archive import Archive
from orchestrator.trial import Suggestion, evaluated, failed
from workloads import Objective

OBJECTIVES = (Objective("loss"), Objective("accuracy", "max"))
CONSTRAINTS = (Objective("latency", bound=1.0),)


def archive() -> Archive:
    made = Archive(OBJECTIVES, CONSTRAINTS)
    for i, (loss, accuracy, latency, status) in enumerate(
        [
            (3.0, 0.9, 1.0, "finished"),
            (1.0, 0.2, 0.0, "finished"),
            (0.0, 1.0, 2.0, "finished"),  # infeasible
            (0.0, 1.0, 0.0, "stopped"),
            (3.5, 0.8, 0.0, "finished"),  # dominated
        ]
    ):
        metrics = {"loss": loss, "accuracy": accuracy, "latency": latency}
        trial = evaluated(Suggestion({"x": i}), metrics, OBJECTIVES, CONSTRAINTS, status=status)
        made.add([trial])
    made.add([failed(Suggestion({"x": 5}), "boom", OBJECTIVES, CONSTRAINTS)])
    return made


def test_only_finished_and_feasible_trials_can_be_in_the_pareto_set() -> None:
    made = archive()
    assert len(made) == 6
    assert [trial.config["x"] for trial in made.pareto_set] == [0, 1]
    assert made.knee in made.pareto_set


def test_hypervolume_grows_with_the_pareto_set() -> None:
    made = archive()
    np.testing.assert_allclose(made.reference, [3.2, -0.13])
    first, both = 0.2 * 0.77, 2.2 * 0.07 + 0.2 * 0.7
    np.testing.assert_allclose(made.hypervolume_over_time(), [first] + 5 * [both])


def test_an_archive_without_results_has_no_volume() -> None:
    made = Archive(OBJECTIVES)
    assert made.hypervolume_over_time().shape == (0,)
    made.add([failed(Suggestion({}), "boom", OBJECTIVES)])
    assert made.hypervolume_over_time().tolist() == [0.0]
    assert made.pareto_set == ()
    assert made.knee is None


def test_the_frame_is_in_the_objectives_own_directions() -> None:
    frame = archive().to_frame()
    assert frame["accuracy"].tolist()[:3] == [0.9, 0.2, 1.0]
    assert frame["config.x"].tolist() == list(range(6))
    assert frame["pareto"].tolist() == [True, True, False, False, False, False]
    assert frame["rank"].tolist()[:2] == [0, 0]
    assert frame["feasible"].tolist() == [True, True, False, True, True, False]

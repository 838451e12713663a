"""Does our report say what carps' own report says about the same logs? Number by number.

``python -m tests.benchmarks.carps_report [--carps-python PATH] [--folder DIR] [--seeds N]``: carps 1.1.0
runs four optimizers on six functions of BBOB and four on six problems of pymoo with two objectives, and
computes what its report shows of the logs (``carps_numbers.py``). We import the same logs and analyse them.
Numbers are equal if they differ by at most 1e-9, relative to carps' where that exceeds 1. Where they differ
as they stand, one step of carps' is applied to ours, and then they have to be equal
(``carps_comparison.py``). Any other difference is unexplained and ends the program with status 1. Small logs
written by hand (``carps_cases.py``) show what these runs do not: missing cells, failed evaluations, low
fidelities, ties.

Equal as they stand, for one objective: incumbents after each evaluation, final losses, mean ranks,
Friedman's p, which pairs differ by Nemenyi's test, and the curves of tasks; for several also the budget that
was spent.

Different, and why (carps' function in brackets):

- Normalised scores: carps adds 1e-8 to the range of a task's losses (``normalize``), so that its worst is a
  little below 1. Ours is 1.
- Volumes: carps scales the objectives to [0, 1] by the best and the worst loss in any log, and the worst are
  the reference point (``calc_hv_for_run``). We take the task's own point if it has one; else the same point
  as carps, and no scale. Scores, ranks and p agree once such points are left out. A point of the task's own
  is the better choice: with carps' a new method that does worse than all others moves the scores of the old
  ones.
- Critical difference: carps' quantile is approximate (``qsturng`` of statsmodels), ours is exact; both agree
  with Demšar's table.
- Curves over all tasks, and ranks over time: carps draws straight lines between evaluations, and the first
  one is at 0 (``get_interpolated_performance_df``). So a run is credited with part of an improvement before
  it is made. Ours are steps over the share of the budget that was spent.
- A missing seed: carps takes the mean over the seeds that a method has (``get_df_crit``), which favours a
  method that lacks a bad one. We compare methods on the seeds that all of them have.
- A missing task: carps leaves out tasks that some optimizer lacks, without saying which; we leave out that
  method of the group, and say so.
- Failed evaluations: what a crashed one logged as its loss is a result to carps, and one infinite loss makes
  all normalised scores of its task 0. With us neither counts.
- Fidelities: carps counts losses at any fidelity, and puts the tasks among the black boxes
  (``add_task_type`` looks for a column that its file logs lack). With us the full fidelity counts, in a
  group of its own.
- Ties: the means of the same losses in another order may differ in the last digit, and then carps' ranks
  differ. Our sums are exact.

Not compared: with two optimizers carps has autorank choose a test on raw losses, we take Wilcoxon's test on
normalised ones; and we have a group of all tasks. carps' report itself leaves out seven optimizers of Syne
Tune by name, ends with an error where Friedman's test is never significant, fails on several objectives
after ``gather_data`` unless called with ``--normalize_results=False``, and takes volumes that an earlier
call left in ./tmp for its own. With pandas 3 ``gather_data`` fails on several objectives.

carps' runs that are already in ``--folder`` are not repeated. The last line is JSON: ``compared`` (kinds of
numbers), ``values``, ``equal``, ``differing`` (by a known reason), ``unexplained``.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import yaml

from orchestrator.analysis.analysis import analyse
from orchestrator.benchmark.carps_logs import import_carps, read_cell
from orchestrator.benchmark.carps_tasks import task_record
from orchestrator.benchmark.records import Results
from orchestrator.benchmark.results import load_results
from tests.benchmarks.carps_cases import CASES, write
from tests.benchmarks.carps_comparison import TYPES, Comparison, Frames, comparisons, hand_written
from tests.benchmarks.carps_runs import carps_python, run_carps
from tests.benchmarks.measuring import print_figures, progress

BLACK_BOXES = "BBOB=cfg_2_1_1,cfg_2_8_1,cfg_2_15_1,cfg_2_20_1,cfg_2_22_1,cfg_4_3_1"
SEVERAL_OBJECTIVES = "Pymoo/MO/unconstraint=kursawe,omnitest,sympart,zdt1,zdt4,zdt6"
FEW = "++task.optimization_resources.n_trials=41"
"""carps' budget for ZDT1 would take TPE minutes for a cell."""
RUNS = (
    ("RandomSearch", "randomsearch=config", BLACK_BOXES),
    ("Optuna-TPE", "optuna=SO_TPE", BLACK_BOXES),
    ("Nevergrad-DE", "nevergrad=DE", BLACK_BOXES),
    ("Nevergrad-CMA-ES", "nevergrad=cmaes", BLACK_BOXES),
    ("RandomSearch", "randomsearch=config", SEVERAL_OBJECTIVES),
    ("Optuna-MO-TPE", "optuna=MO_TPE", SEVERAL_OBJECTIVES),
    ("Optuna-MO-NSGAII", "optuna=MO_NSGAII", SEVERAL_OBJECTIVES),
    ("Nevergrad-DE", "nevergrad=DE", SEVERAL_OBJECTIVES),
)
"""Optimizer id, its configuration, tasks."""


def compute(python: Path, folder: Path, seeds: Sequence[int]) -> None:
    """Let carps run what its logs in ``folder`` do not have."""
    cells = [read_cell(log.parent)[1] for log in folder.rglob("trial_logs.jsonl")]
    done = Counter(
        (cell.key.task.startswith("bbob/"), cell.key.method, cell.key.seed)
        for cell in cells
        if cell.status == "finished"
    )
    for method, config, tasks in RUNS:
        one = tasks == BLACK_BOXES
        missing = [seed for seed in seeds if done[one, method, seed] <= tasks.count(",")]
        if missing:
            seconds = run_carps(python, config, tasks, missing, folder, *(() if one else (FEW,)))
            progress(f"carps: {method}, {tasks.partition('=')[0]}, {len(missing)} seeds in {seconds:.0f} s")


def numbers_of(python: Path, logs: Sequence[Path], outputs: Sequence[Path]) -> list[Frames]:
    """What carps computes from each of the folders of logs."""
    script = Path(__file__).with_name("carps_numbers.py")
    folders = [str(path.absolute()) for pair in zip(logs, outputs, strict=True) for path in pair]
    # Isolated: what stands beside the script must not be taken for a library of carps'.
    command = [str(python), "-I", str(script), *folders]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"carps' analysis failed:\n{done.stderr[-2000:]}")
    names = ("trials", "final", "budget", "ranks", "curves")
    return [{name: pd.read_parquet(output / f"{name}.parquet") for name in names} for output in outputs]


def ours_of(logs: Path, run_dir: Path) -> Results:
    """The logs as we import them."""
    shutil.rmtree(run_dir, ignore_errors=True)
    import_carps(logs, run_dir)
    return load_results(run_dir)


def renamed(frames: Frames, logs: Path) -> Frames:
    """carps' frames with our names of columns, tasks and types."""
    configs = [yaml.load(path.read_text(), yaml.CSafeLoader) for path in logs.rglob(".hydra/config.yaml")]
    tasks = {config["task"]["name"]: task_record(config["task"]).name for config in configs}
    columns = {"task_id": "task", "optimizer_id": "method", "task_type": "type", "n_trials": "number"}
    found = {}
    for name, frame in frames.items():
        own = frame.rename(columns=columns)
        for column, values in (("task", tasks), ("type", TYPES)):
            if column in own:
                own[column] = own[column].replace(values)
        found[name] = own
    return found


def compare(python: Path, folder: Path) -> list[Comparison]:
    """All comparisons, of the logs in ``folder`` and of those written by hand."""
    places = {name: folder / "cases" / name.replace(" ", "_") for name in CASES}
    shutil.rmtree(folder / "cases", ignore_errors=True)
    for name, place in places.items():
        write(CASES[name], place / "logs")
    logs = [folder / "logs", *(place / "logs" for place in places.values())]
    outputs = [folder / "numbers", *(place / "numbers" for place in places.values())]
    whole, *small = numbers_of(python, logs, outputs)
    found = list(comparisons(renamed(whole, logs[0]), ours_of(logs[0], folder / "ours")))
    for (name, place), frames in zip(places.items(), small, strict=True):
        analysis = analyse(ours_of(place / "logs", place / "ours"), {})
        found.append(hand_written(name, CASES[name], frames, analysis))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Our report against that of carps 1.1.0 on the same logs.")
    parser.add_argument("--carps-python", type=Path, help="the Python that carps 1.1.0 is installed for")
    parser.add_argument("--folder", type=Path, default=Path("runs/carps_report"), help="for what is computed")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    python = carps_python(arguments.carps_python, "ioh", "nevergrad", "optuna", "pymoo")
    compute(python, folder / "logs", range(1, arguments.seeds + 1))
    found = compare(python, folder)
    table = pd.DataFrame([{"outcome": one.outcome, **vars(one)} for one in found])
    print(table.to_string(index=False, float_format=lambda value: f"{value:.2g}"))
    counts = table["outcome"].value_counts()
    unexplained = int(counts.get("unexplained", 0))
    print_figures(
        {
            "compared": len(table),
            "values": int(table["values"].sum()),
            "equal": int(counts.get("equal", 0)),
            "differing": int(counts.get("differs", 0)),
            "unexplained": unexplained,
        }
    )
    sys.exit(int(unexplained > 0))


if __name__ == "__main__":
    main()

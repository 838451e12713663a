"""The Grafana boards' queries, answered by a real Prometheus: ``python -m tests.benchmarks.grafana_boards``.

Needs the program ``prometheus``. A study of each kind runs on a local Ray of its own with a dashboard;
Prometheus finds it by the run directory's ``prometheus.json`` alone, as docs/cluster.md says. A query counts
as answered once it has a value. Prints, for each, how many series it has, and the longest wait in seconds
from the study's start; ends with 1 where a query stays unanswered for ``SECONDS``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from socket import create_server
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.benchmarks.measuring import print_figures, progress

SECONDS = 240.0
STUDIES = {
    "population": ("+study=pbt_digits", "population.interval=1", "population.generations=2000"),
    "search": ("+study=search_digits", "search.trials=100000"),
    "benchmark": ("+study=carps_small", "benchmark.seeds=1000"),
}
CONFIG = """
global: {{scrape_interval: 5s}}
scrape_configs:
  - job_name: ray
    file_sd_configs: [{{files: ['{discovery}'], refresh_interval: 5s}}]
"""


@contextmanager
def running(command: Sequence[str], log: Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A program for as long as the block runs; Ctrl-C ends it."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True, **options)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


def queries(kind: str) -> dict[str, str]:
    """A board's queries by their panels' titles and the variables' names, all that can be chosen chosen."""
    board = json.loads(files("orchestrator.tracking").joinpath(f"grafana/{kind}.json").read_text())
    found = {f"{panel['id']} {panel['title']}": panel["targets"][0]["expr"] for panel in board["panels"]}
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            inner = variable["query"]["query"].removeprefix("label_values(").removesuffix(")")
            series, _, label = inner.rpartition(", ")
            found[f"variable {variable['name']}"] = f"count by ({label}) ({series})"
    chosen = {"$study": ".+", "$run": ".+", "$objective": ".+", "$__rate_interval": "1m"}
    for name, value in chosen.items():
        found = {title: query.replace(name, value) for title, query in found.items()}
    return found


def answer(server: str, query: str) -> list[Mapping[str, Any]]:
    """The series that Prometheus has for a query at this moment."""
    with (
        suppress(OSError),
        urlopen(f"{server}/api/v1/query?{urlencode({'query': query})}", timeout=10) as got,
    ):
        result: list[Mapping[str, Any]] = json.load(got)["data"]["result"]
        return result
    return []


def check(kind: str, folder: Path) -> tuple[dict[str, int], float]:
    """The number of series of each query, and the longest that one had to be waited for."""
    run, began = folder / "run", time.monotonic()
    study = [sys.executable, "-m", "orchestrator", *STUDIES[kind], f"run.dir={run}", "tracking=none"]
    (folder / "prometheus.yml").write_text(CONFIG.format(discovery=run / "prometheus.json"))
    with create_server(("127.0.0.1", 0)) as free:
        host = f"127.0.0.1:{free.getsockname()[1]}"
    prometheus = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--web.listen-address={host}"]
    waiting, counts, longest = queries(kind), dict[str, int](), 0.0
    with (
        running([*study, "cluster.dashboard=true", "cluster.cpus=1"], folder / "study.log") as process,
        running([*prometheus, f"--storage.tsdb.path={folder}/data"], folder / "prometheus.log"),
    ):
        while waiting and process.poll() is None and (longest := time.monotonic() - began) < SECONDS:
            for title, query in list(waiting.items()):
                if series := answer(f"http://{host}", query):
                    counts[title] = len(series)
                    del waiting[title]
            time.sleep(2)
    if process.returncode not in (0, 130):
        progress((folder / "study.log").read_text()[-2000:])
    return {**counts, **dict.fromkeys(waiting, 0)}, longest


def main(kinds: Sequence[str]) -> int:
    figures: dict[str, float] = {}
    unanswered = 0
    for kind in kinds or STUDIES:
        with tempfile.TemporaryDirectory(prefix="boards-") as folder:
            counts, longest = check(kind, Path(folder))
        for title, count in counts.items():
            print(f"{kind:10} {title:28} {count} series" if count else f"{kind:10} {title:28} no answer")
        answered = sum(count > 0 for count in counts.values())
        figures |= {f"{kind}_answered": answered, f"{kind}_queries": len(counts), f"{kind}_seconds": longest}
        unanswered += len(counts) - answered
    print_figures(figures)
    return int(unanswered > 0)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main(sys.argv[1:]))

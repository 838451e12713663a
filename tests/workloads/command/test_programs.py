"""Programs that behave, and programs that do not."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from search_spaces import ConfigurationError
from tests.workloads.command.programs import CALL, CONFIG, SCRIPTS, device, made, shell
from workloads.command import Command
from workloads.command.process import ProgramError
from workloads.contract import Session
from workloads.folder import StoredFolder
from workloads.state import restore, take_state

ALL = "{hyperparameters}"
EPOCHS = {"unit": "epoch", "largest": 9}


def start(workload: Command, folder: Path) -> Session:
    return workload.start(CONFIG, 2**40 + 7, device(folder))


def alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether it becomes true within as long as a busy machine may take."""
    for _ in range(1000):
        if condition():
            return True
        time.sleep(0.02)
    return False


def numbers_in(file: Path, count: int) -> list[int]:
    """The processes that a program has noted down."""
    assert eventually(lambda: file.exists() and len(file.read_text().split()) >= count)
    return [int(number) for number in file.read_text().split()]


# What reaches the program


def test_arguments_are_what_the_template_says(tmp_path: Path) -> None:
    script = 'for a in "$@"; do echo "<$a>" >&2; done; echo loss=1'
    texts = ["--rate={rate}", "a b; rm -rf $HOME", "{{rate}}", "{seed}", "{units}", ["--from", "{load}"]]
    workload = made(command=["sh", "-c", script, "sh", *texts, "{save}"], environment={"K": "{kind}"})
    with pytest.raises(ProgramError, match="left no checkpoint"):
        start(workload, tmp_path).advance(4)
    # Between the two streams no order is promised, within one of them it is.
    said = (tmp_path / "logs" / "trial-3.log").read_text().splitlines()
    *arguments, save = [line for line in said if line.startswith("<")]
    assert arguments == ["<--rate=0.1>", "<a b; rm -rf $HOME>", "<{rate}>", "<7>", "<4>"]
    assert save.endswith("/save>")
    assert "loss=1" in said


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_hyperparameters_in_a_file(tmp_path: Path, form: str) -> None:
    workload = made(command=["sh", "-c", "cat $1; echo loss=1", "sh", "{config}"], fidelity={}, config=form)
    start(workload, tmp_path).advance(1)
    said = (tmp_path / "logs" / "trial-3.log").read_text()
    assert ('"rate": 0.1,' if form == "json" else '"rate": 0.1\n"kind": "a"') in said


def test_hyperparameters_in_variables_and_as_overrides_of_hydra(tmp_path: Path) -> None:
    workload = shell("echo $RATE $KIND; echo loss=1", fidelity={})
    start(workload, tmp_path).advance(1)
    assert "0.1 a\n" in (tmp_path / "logs" / "trial-3.log").read_text()
    hydra = made(command=["sh", "-c", 'echo "$@"; echo loss=1', "sh", "{overrides}"], fidelity={})
    hydra.start({"rate": 0.1, "kind": "it's, new"}, 1, device(tmp_path)).advance(1)
    assert r"rate=0.1 kind='it\'s, new'" in (tmp_path / "logs" / "trial-3.log").read_text()


def test_works_in_its_directory(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("loss=3")
    assert start(shell("cat data", fidelity={}, directory=str(tmp_path)), tmp_path).advance(1) == {"loss": 3}


# What it reports


@pytest.mark.parametrize(
    ("script", "metrics"),
    [
        ('echo \'{"loss": 2, "val": {"accuracy": 0.5}, "name": "x"}\'', {"loss": 2, "val.accuracy": 0.5}),
        ("echo 'epoch=3 loss = 1e-3, lr=nan'; echo 'x=y loss: 7'", {"loss": 1e-3, "epoch": 3, "lr": None}),
        ("echo loss=1; echo '{\"loss\": broken'; printf loss=2", {"loss": 2}),
        ("echo loss=1 >&2; echo loss=4", {"loss": 4}),
    ],
)
def test_reports_on_standard_output(tmp_path: Path, script: str, metrics: dict[str, Any]) -> None:
    found = start(shell(script, fidelity={}), tmp_path).advance(1)
    assert found == pytest.approx(
        {name: value or float("nan") for name, value in metrics.items()}, nan_ok=True
    )


@pytest.mark.parametrize(
    ("file", "script"),
    [
        ("metrics.csv", "printf 'epoch,loss,note\\n1,0.5,a\\n2,0.25,b\\n' > $1"),
        ("metrics.csv", "printf 'epoch,loss\\n1,0.5\\n2,0.25' > $1"),
        ("metrics.jsonl", "echo '{\"loss\": 0.5}' > $1; echo '{\"loss\": 0.25}' >> $1"),
        ("metrics.json", 'echo \'[{"loss": 0.5}, {"loss": 0.25}]\' > $1'),
        ("metrics.json", "echo '{\"loss\": 0.5}' > $1; echo '{\"loss\": 0.25}' > $1"),
    ],
)
def test_reports_in_a_file(tmp_path: Path, file: str, script: str) -> None:
    place = f"{{folder}}/{file}"
    workload = made(
        command=["sh", "-c", script, "sh", place],
        environment={"R": "{rate}{kind}"},
        fidelity={},
        metrics=place,
    )
    assert start(workload, tmp_path).advance(1)["loss"] == 0.25


def test_reports_of_an_mlflow_run(tmp_path: Path) -> None:
    script = (
        "run=${MLFLOW_TRACKING_URI#file://}/0/abc/metrics; mkdir -p $run/val;"
        'printf "1 0.5 1\\n2 0.25 2\\n" > $run/loss; printf "1 0.9 2\\n" > $run/val/acc'
    )
    found = start(shell(script, fidelity={}, metrics="mlflow"), tmp_path).advance(1)
    assert found == {"loss": 0.25, "step": 2, "val/acc": 0.9}


def test_a_program_is_followed_report_by_report(tmp_path: Path) -> None:
    script = "trap 'echo stopped >> log; exit' TERM; for i in 1 2 3 4 5 6; do echo loss=$i; sleep 0.01; done"
    script += "; while :; do sleep 0.05; done"
    session = start(shell(script, fidelity=EPOCHS, directory=str(tmp_path)), tmp_path)
    assert session.advance(2)["loss"] == 2
    assert session.advance(3)["loss"] == 5
    assert not (tmp_path / "log").exists()
    del session
    gc.collect()
    assert (tmp_path / "log").read_text() == "stopped\n"


def test_a_followed_program_may_count_and_stop_by_itself(tmp_path: Path) -> None:
    script = "for i in 2 4 6; do echo epoch=$i loss=$i; done"
    session = start(shell(script, fidelity=EPOCHS, step="epoch"), tmp_path)
    assert session.advance(3)["loss"] == 4
    assert session.advance(3)["loss"] == 6
    assert session.advance(3)["loss"] == 6


def test_a_followed_program_cannot_be_copied(tmp_path: Path) -> None:
    session = start(shell("echo loss=1; sleep 60", fidelity=EPOCHS), tmp_path)
    session.advance(1)
    with pytest.raises(ConfigurationError, match=r"or {units} in it"):
        session.state()


def test_a_followed_program_may_save_what_nobody_keeps(tmp_path: Path) -> None:
    script = "for i in 1 2 3; do echo $i > $1/x; echo loss=$2; done"
    workload = made(
        command=["sh", "-c", script, "sh", "{save}", "{units}", ["{load}"]],
        environment={"R": "{rate}{kind}"},
        fidelity=EPOCHS,
        follow=True,
    )
    session = start(workload, tmp_path)
    assert session.advance(2) == session.advance(1) == {"loss": 9}


# Checkpoints


def test_a_program_may_change_what_it_loads(tmp_path: Path) -> None:
    script = (
        'if [ "$3" ]; then echo changed >> "$3"/x; cp "$3"/x "$1"; else echo first > "$1"/x; fi; echo loss=1'
    )
    workload = made(
        command=["sh", "-c", script, "sh", "{save}", "{units}", ["{load}"]], environment={"R": "{rate}{kind}"}
    )
    donor, copy = start(workload, tmp_path), start(workload, tmp_path)
    donor.advance(1)
    state = donor.state()
    before = (state["checkpoint"].path / "x").read_text()
    copy.load(state)
    copy.advance(1)
    assert (state["checkpoint"].path / "x").read_text() == before == "first\n"
    assert (copy.state()["checkpoint"].path / "x").read_text() == "first\nchanged\n"


@pytest.mark.parametrize("form", ["{save}", "{checkpoint}"])
def test_links_in_a_checkpoint_go_along_with_it(tmp_path: Path, form: str) -> None:
    script = 'echo weights > "$1"/epoch5; ln -sf "$1"/epoch5 "$1"/last; echo loss=1'
    more: list[Any] = [["{load}"]] if form == "{save}" else []
    workload = made(
        command=["sh", "-c", script, "sh", form, "{units}", *more], environment={"R": "{rate}{kind}"}
    )
    donor, copy = start(workload, tmp_path), start(workload, tmp_path)
    donor.advance(1)
    copy.load(donor.state())
    del donor
    copy.state()["checkpoint"].copy_to(tmp_path / "out")
    assert (tmp_path / "out" / "last").readlink() == Path("epoch5")
    assert (tmp_path / "out" / "last").read_text() == "weights\n"


def test_checkpoints_lie_on_the_disk_once_and_go_with_their_members(tmp_path: Path) -> None:
    workload = made()
    donor, copies = start(workload, tmp_path), [start(workload, tmp_path) for _ in range(3)]
    donor.advance(1)
    for copy in copies:
        copy.load(donor.state())
    kept = donor.state()["checkpoint"]
    assert isinstance(kept, StoredFolder)
    assert all(copy.state()["checkpoint"] is kept for copy in copies)
    place = kept.path
    donor.advance(1)
    del kept, copy
    assert place.exists()
    copies.clear()
    gc.collect()
    assert not place.exists()
    del donor
    gc.collect()
    assert not list((tmp_path / "scratch").iterdir())


# Programs that do not behave


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            "echo starting; echo 'ValueError: rate' >&2; exit 3",
            "status 3; it printed last: .*rate",
        ),
        ("kill -9 $$", "was killed by signal 9"),
        (":", "ended without reporting 'loss' on standard output"),
        ("echo '{\"loss\": 1'", "without reporting 'loss' .*a line is broken JSON: {\"loss\": 1"),
        ("echo '[1, 2]'; echo accuracy=1", "without reporting 'loss'"),
    ],
)
def test_a_failure_says_what_happened(tmp_path: Path, script: str, reason: str) -> None:
    with pytest.raises(ProgramError, match=reason) as caught:
        start(shell(script, fidelity={}), tmp_path).advance(1)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "scratch").glob("*/*"))


def test_the_last_lines_of_a_failure_are_in_its_traceback(tmp_path: Path) -> None:
    session = start(shell("seq 1 100; exit 1", fidelity={}), tmp_path)
    with pytest.raises(ProgramError, match=r"98 \| 99 \| 100") as caught:
        session.advance(1)
    assert "\n71\n72\n" in caught.value.__notes__[0]


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    workload = made(command=["no-such-program", "{hyperparameters}"], fidelity={})
    with pytest.raises(ProgramError, match="did not start: No such file"):
        start(workload, tmp_path).advance(1)
    with pytest.raises(ConfigurationError, match=r"command\[0\]: expected a program on PATH"):
        workload.prepare()


def test_a_program_that_hangs_is_stopped(tmp_path: Path) -> None:
    session = start(shell("echo loss=1; sleep 600", fidelity={}, time_limit=3), tmp_path)
    with pytest.raises(ProgramError, match=r"took longer than time_limit=3 s; it printed last: loss=1"):
        session.advance(1)


def test_a_program_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    script = "trap '' TERM; echo $$ > number; echo loss=1; while :; do sleep 0.1; done"
    workload = shell(script, fidelity=EPOCHS, directory=str(tmp_path), grace=0.2)
    session = start(workload, tmp_path)
    session.advance(1)
    (number,) = numbers_in(tmp_path / "number", 1)
    assert alive(number)
    del session
    gc.collect()
    assert not alive(number)


FORKING = """
(trap '' TERM; echo $(exec sh -c 'echo $PPID') >> numbers; exec sleep 600) &
setsid sh -c 'trap "" TERM HUP; echo $$ >> numbers; exec sleep 600' &
sh -c 'setsid sh -c "echo \\$\\$ >> numbers; exec sleep 600" &'
while [ $(wc -l < numbers) -lt 3 ]; do sleep 0.01; done
"""
"""Leaves three children: in its group, in a session of its own, and of a parent that is gone."""


@pytest.mark.parametrize("end", ["echo loss=1", "echo loss=1; exit 1", "echo loss=1; sleep 600"])
def test_children_die_with_their_program(tmp_path: Path, end: str) -> None:
    (tmp_path / "numbers").touch()
    workload = shell(FORKING + end, fidelity={}, directory=str(tmp_path), time_limit=20, grace=0.3)
    session = start(workload, tmp_path)
    if "600" in end:
        workload = shell(FORKING + end, fidelity=EPOCHS, directory=str(tmp_path), grace=0.3)
        session = start(workload, tmp_path)
    if "exit" in end:
        with pytest.raises(ProgramError, match="status 1"):
            session.advance(1)
    else:
        session.advance(1)
    children = numbers_in(tmp_path / "numbers", 3)
    assert all(map(alive, children)) == ("600" in end)
    del session
    gc.collect()
    assert not any(map(alive, children))


def test_nothing_outlives_a_worker_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "numbers").touch()
    worker = f"""
from tests.workloads.command.programs import shell
from workloads.contract import Device
script = {FORKING!r} + "echo loss=1; sleep 600"
workload = shell(script, fidelity={EPOCHS}, directory={str(tmp_path)!r})
from pathlib import Path
session = workload.start({CONFIG}, 1, Device(scratch=Path({str(tmp_path)!r})))
session.advance(1)
print(session._supervisor._process.pid, flush=True)
session.advance(1)
"""
    with subprocess.Popen([sys.executable, "-c", worker], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        supervisor = int(process.stdout.readline())
        children = numbers_in(tmp_path / "numbers", 3)
        assert all(map(alive, [supervisor, *children]))
        process.send_signal(signal.SIGKILL)
    assert eventually(lambda: not any(map(alive, [supervisor, *children])))


def test_too_much_memory_is_refused(tmp_path: Path) -> None:
    script = "import os, time; os.fork(); block = b'x' * (60 * 2**20); time.sleep(60)"
    workload = made(
        command=["{python}", "-I", "-S", "-c", script, "{hyperparameters}"], fidelity={}, memory_limit=100
    )
    with pytest.raises(ProgramError, match="took more than memory_limit=100 MiB"):
        start(workload, tmp_path).advance(1)


def test_what_is_printed_is_kept_up_to_a_limit(tmp_path: Path) -> None:
    script = "seq 1 200000; echo loss=1; echo loss=2 >&2"
    start(shell(script, fidelity={}, log_limit=10_000), tmp_path).advance(1)
    log = (tmp_path / "logs" / "trial-3.log").read_text()
    assert log.startswith("[older output was dropped]\n")
    assert log.endswith("loss=2\n") or log.endswith("loss=1\n")
    assert "\n199999\n" in log
    assert len(log) <= 10_000


@pytest.mark.parametrize("what", ["yes 'epoch 7: still training'", "cat /dev/zero"])
def test_a_gigabyte_of_output(tmp_path: Path, what: str) -> None:
    script = f"{what} | head -c 1000000000; echo; echo loss=1"
    assert start(shell(script, fidelity={}), tmp_path).advance(1) == {"loss": 1}
    assert (tmp_path / "logs" / "trial-3.log").stat().st_size <= 1_000_000


def test_logs_that_cannot_be_written_fail_nothing(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    assert start(shell("echo loss=1", fidelity={}), tmp_path).advance(1) == {"loss": 1}


# Programs that stay alive


def served(text: str, **changes: Any) -> Command:
    return made(command=["{python}", "-I", "-S", "-c", text], serve=True, **changes)


ANSWERS = "import sys, json\nfor line in sys.stdin:\n    what = json.loads(line)['do']\n    "


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise SystemExit(5)", "exited with status 5"),
        ("input()", "ended without an answer to 'start'"),
        (ANSWERS + 'print(\'{"done": "start"}\', flush=True)', "did not answer 'advance' with"),
        (ANSWERS + "print(json.dumps({'done': what}), flush=True)", "did not answer 'advance' with 'loss'"),
        (ANSWERS + 'print(\'{"error": "no GPU"}\', flush=True)', "answered 'start' with an error: no GPU"),
        ("import time; time.sleep(60)", "took longer than time_limit=0.5 s"),
    ],
)
def test_a_served_program_that_does_not_answer(tmp_path: Path, text: str, reason: str) -> None:
    limit = 0.5 if "sleep" in text else 60
    session = start(served(text, time_limit=limit), tmp_path)
    with pytest.raises(ProgramError, match=reason):
        session.advance(1)


def test_a_served_program_saves_only_what_is_asked_for(tmp_path: Path) -> None:
    workload = made(command=["{python}", str(SCRIPTS / "served.py")], serve=True)
    session = start(workload, tmp_path)
    session.advance(1)
    first = session.state()
    assert session.state()["checkpoint"] is first["checkpoint"]
    session.advance(1)
    assert session.state()["checkpoint"] != first["checkpoint"]


# Programs of other frameworks

HYDRA = """
import hydra
from omegaconf import DictConfig

@hydra.main(version_base=None, config_path=None, config_name="own")
def main(config: DictConfig) -> None:
    from hydra.core.hydra_config import HydraConfig
    assert HydraConfig.get().runtime.output_dir
    print(f"loss={config.rate} kind={len(config.kind)}")

from dataclasses import dataclass
from hydra.core.config_store import ConfigStore

@dataclass
class Own:
    rate: float = 0.0
    kind: str = ""

ConfigStore.instance().store(name="own", node=Own)
main()
"""


def test_a_script_that_uses_hydra_itself(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(HYDRA)
    command = ["{python}", "train.py", "{overrides}", "hydra.run.dir={folder}"]
    workload = made(command=command, fidelity={}, directory=str(tmp_path))
    assert start(workload, tmp_path).advance(1) == {"loss": 0.1, "kind": 1}
    assert not (tmp_path / "outputs").exists()


def test_a_launch_by_torchrun_dies_whole(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import os, time\n"
        "open('numbers', 'a').write(f'{os.getpid()}\\n')\n"
        "while len(open('numbers').read().split()) < 2: time.sleep(0.05)\n"
        "if os.environ['RANK'] == '0': print(f'loss={os.environ[\"WORLD_SIZE\"]}')\n"
        "time.sleep(600)\n"
    )
    command = ["{python}", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "train.py"]
    workload = made(
        command=[*command, "{hyperparameters}"],
        fidelity=EPOCHS,
        directory=str(tmp_path),
        grace=2,
        time_limit=300,
    )
    session = start(workload, tmp_path)
    assert session.advance(1) == {"loss": 2}
    workers = numbers_in(tmp_path / "numbers", 2)
    assert all(map(alive, workers))
    del session
    gc.collect()
    assert not any(map(alive, workers))


def test_reports_of_tensorboards_event_files(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="extra tensorboard")
    (tmp_path / "train.py").write_text(
        "import sys\n"
        "from tensorboard.summary import Writer\n"
        "writer = Writer(sys.argv[1])\n"
        "for step in range(3): writer.add_scalar('loss', 1 / (1 + step), step)\n"
        "writer.close()\n"
    )
    workload = made(
        command=["{python}", "train.py", "{folder}", ALL],
        fidelity={},
        metrics="tensorboard",
        directory=str(tmp_path),
    )
    assert start(workload, tmp_path).advance(1) == pytest.approx({"loss": 1 / 3, "step": 2})


PROBE = "import json, sys; print('test_size=%r' % json.load(open(sys.argv[1] + '/x.json'))[1])"


@pytest.mark.parametrize("call", [["{save}", ["{load}"]], ["{checkpoint}", "{checkpoint}"]])
def test_another_program_judges_the_checkpoint_and_training_goes_on_as_before(
    tmp_path: Path, call: list[Any]
) -> None:
    judged, untested = (
        made(
            command=[*CALL, "{hyperparameters}", *call],
            test=["{python}", "-I", "-S", "-c", PROBE, "{load}"],
        ).start(CONFIG, 3, device(tmp_path))
        for _ in range(2)
    )
    size, _ = (session.advance(2)["size"] for session in (judged, untested))
    assert abs(judged.test()["test_size"]) == pytest.approx(size)
    assert judged.advance(1) == untested.advance(1)
    copy = made(test=["{python}", "-c", PROBE, "{load}"]).start(CONFIG, 4, device(tmp_path))
    restore(copy, take_state(judged), CONFIG)
    assert copy.test() == judged.test()
    assert not hasattr(made().start(CONFIG, 3, device(tmp_path)), "test")


def test_a_judge_that_says_nothing_has_failed(tmp_path: Path) -> None:
    session = made(test=["{python}", "-c", "print('fine')", "{load}"]).start(CONFIG, 3, device(tmp_path))
    session.advance(1)
    with pytest.raises(ProgramError, match="ended without reporting"):
        session.test()

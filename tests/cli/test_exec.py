"""``wattledger exec``: the command runs as if we were not there, and its energy is told at the end."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.declare.daemon import J_PER_CPU_S, SmallDaemon, daemon_process
from tests.declare.programs import BURN, REPO
from tests.e2e.daemon import until

#: The command line, whether or not it lists the command yet.
MAIN = """
import sys
from tracker.cli import main
main.COMMANDS.setdefault("exec", ("tracker.cli.exec", "exec_command", "Run a command as a declared run."))
main.main()
"""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("WATTLEDGER_")},
        "PYTHONPATH": str(REPO),
        "WATTLEDGER_SOCKET": str(tmp_path / "declare.sock"),
    }


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[SmallDaemon]:
    with SmallDaemon(tmp_path) as daemon:
        yield daemon


def exec_line(*arguments: str) -> list[str]:
    return [sys.executable, "-c", MAIN, "exec", *arguments]


def run(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(exec_line(*arguments), env=env, capture_output=True, text=True, check=False, timeout=60)


def python(text: str) -> tuple[str, str, str]:
    return sys.executable, "-c", BURN + text


# -- the command is left alone -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_its_exit_code_is_the_commands(env: dict[str, str], code: int) -> None:
    done = run(env, "--", "sh", "-c", f"echo out; echo err >&2; exit {code}")
    assert (done.returncode, done.stdout) == (code, "out\n")
    assert done.stderr.startswith("err\n")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_command_that_a_signal_ends_gives_128_and_its_number(env: dict[str, str], number: signal.Signals) -> None:
    assert run(env, "sh", "-c", f"kill -{int(number)} $$").returncode == 128 + number


def test_a_command_that_is_not_there_is_one_sentence_and_127(env: dict[str, str], tmp_path: Path) -> None:
    done = run(env, "--", "no-such-command", "x")
    assert (done.returncode, done.stderr) == (127, "wattledger: no-such-command: there is no such command.\n")
    (tmp_path / "text").write_text("no program")
    done = run(env, str(tmp_path / "text"))
    assert (done.returncode, done.stderr) == (126, f"wattledger: {tmp_path}/text: Permission denied.\n")


def test_options_after_the_command_are_the_commands(env: dict[str, str]) -> None:
    done = run(env, "--project", "nlp", "echo", "--json", "--project", "x", "--", "y")
    assert (done.returncode, done.stdout) == (0, "--json --project x -- y\n")


def test_without_a_command_it_says_how_to_use_it(env: dict[str, str]) -> None:
    done = run(env)
    assert done.returncode == 2
    assert "Missing argument 'COMMAND...'" in done.stderr


def test_standard_input_and_environment_reach_it(env: dict[str, str]) -> None:
    line = exec_line("sh", "-c", "cat; echo $MINE")
    done = subprocess.run(line, env={**env, "MINE": "5"}, input="in\n", capture_output=True, text=True, check=False)
    assert done.stdout == "in\n5\n"


def test_a_pipe_that_is_closed_ends_it_as_it_would_alone(env: dict[str, str]) -> None:
    """Python ignores SIGPIPE; yes(1) must not inherit that, or it would complain."""
    done = subprocess.run(
        ["sh", "-c", '"$@" | head -1', "sh", *exec_line("-o", "/dev/null", "yes")],
        env=env, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("y\n", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_signals_that_are_sent_to_it_reach_the_command(env: dict[str, str], number: signal.Signals) -> None:
    text = f"""
import signal, sys
signal.signal({int(number)}, lambda number, _: sys.exit(40 + number))
print("ready", flush=True)
while True: signal.pause()
"""
    with subprocess.Popen(exec_line(*python(text)), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        process.communicate(timeout=30)
        assert process.returncode == 40 + number


def test_ctrl_c_at_a_terminal_reaches_the_command_once(env: dict[str, str]) -> None:
    """The terminal sends it to both; passed on as well, a trainer that saves at the first would be killed by the
    second."""
    text = """
import signal, sys, time
seen = []
signal.signal(signal.SIGINT, lambda *_: seen.append(1))
print("ready", flush=True)
while not seen: time.sleep(0.01)
until = time.monotonic() + 0.5
while time.monotonic() < until: time.sleep(0.01)
print("seen", len(seen), flush=True)
"""
    pid, master = pty.fork()
    if pid == 0:
        os.execve(sys.executable, exec_line(*python(text)), env)
    try:
        said = b""
        while b"ready" not in said:
            said += os.read(master, 4096)
        os.write(master, b"\x03")
        while not re.search(rb"seen \d", said):
            said += os.read(master, 4096)
        assert b"seen 1" in said
    finally:
        _, status = os.waitpid(pid, 0)
        os.close(master)
    assert os.waitstatus_to_exitcode(status) == 0


def test_without_a_daemon_the_command_runs_and_the_summary_says_what_is_missing(env: dict[str, str]) -> None:
    done = run(env, "--", "echo", "out")
    assert (done.returncode, done.stdout) == (0, "out\n")
    first, *rest = done.stderr.splitlines()
    assert first.startswith("wattledger: echo-")
    assert rest == [
        "  note: No daemon answers: nothing was measured. Start one: wattledger run (--demo takes no declarations)"
    ]
    told = json.loads(run(env, "--json", "true").stderr)
    assert (told["exit_code"], told["energy_j"], told["emissions_g"], told["booked"]) == (0, None, None, False)


# -- what it used ------------------------------------------------------------------------------------------------------


def test_the_energy_of_a_command_and_of_all_it_starts(env: dict[str, str], daemon: SmallDaemon, tmp_path: Path) -> None:
    """Its own CPU time, a child's, and an orphan's that it left behind but did not outlive."""
    text = """
import os, subprocess, sys
burn(0.2)
subprocess.run([sys.executable, "-S", "-c", "import time\\nwhile time.process_time() < 0.2: pass"])
if os.fork() == 0:
    if os.fork() == 0:
        burn(0.2)
    os._exit(0)
os.wait()
import time
end = time.monotonic() + 30
while os.path.exists(f"/proc/self") and time.monotonic() < end:
    if not any(open(f"/proc/{p}/stat").read().split()[3] == str(os.getppid()) and int(p) != os.getpid()
               for p in os.listdir("/proc") if p.isdecimal() and os.path.exists(f"/proc/{p}/stat")): break
    time.sleep(0.02)
"""
    summary = tmp_path / "summary.json"
    done = run(env, "--project", "nlp", "--team", "t", "--phase", "training", "--cost-centre", "CC", "--name", "fine",
               "--json", "-o", str(summary), "--", *python(text))  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(summary.read_text())
    assert told["booked"]
    assert 0.55 * J_PER_CPU_S < told["energy_j"] < 0.9 * J_PER_CPU_S
    assert told["energy_j_by_component"] == {"cpu": told["energy_j"]}
    assert told["emissions_g"] == pytest.approx(told["energy_j"] / 3.6e6 * 50 * 1.2, abs=2e-6)
    assert (told["measured_share"], told["pue"], told["factor"]["zone"]) == (1.0, 1.2, "FR")
    assert told["notes"] == ["No GPU is measured on this node; wattledger check says why."]
    (state,) = [s for s in daemon.agent.snapshot.workloads if s.workload.run == told["run"]]
    w = state.workload
    assert (w.name, w.project, w.team, w.phase, w.cost_centre) == ("fine", "nlp", "t", "training", "CC")


def test_the_summary_for_people(env: dict[str, str], daemon: SmallDaemon) -> None:
    text = "from tracker.declare import current\nburn(0.3)\ncurrent().add(tokens=4096)"
    done = run(env, *python(text))
    lines = [line.split("  ") for line in done.stderr.splitlines()]
    names = [next(part.strip() for part in line if part.strip()) for line in lines[1:]]
    assert names == ["energy", "cpu", "of it idle", "emissions", "factor", "tokens",
                     "note: No GPU is measured on this node; wattledger check says why."]  # fmt: skip
    assert "ended with 0 after" in done.stderr
    assert "on node-1" in done.stderr
    assert "100 % measured" in done.stderr
    assert "50 g/kWh in FR, lifecycle, tier 5: test table" in done.stderr
    assert "location-based, with PUE 1.2" in done.stderr
    assert "4,096, 0.00" in done.stderr


def test_a_run_that_the_command_declares_itself_is_in_the_summary(env: dict[str, str], daemon: SmallDaemon) -> None:
    """The script says run-42: its energy stands under that name, and who typed exec is told it all the same."""
    done = run(env, "--json", *python("from tracker.declare import declare\nwith declare('run-42'): burn(0.3)"))
    told = json.loads(done.stderr)
    inner_j = sum(daemon.run("run-42").values()) / 1e6
    assert inner_j > 0.2 * J_PER_CPU_S
    assert told["energy_j"] == pytest.approx(inner_j + sum(daemon.run(told["run"]).values()) / 1e6)


def test_a_daemon_that_is_restarted_in_between_is_found_again(env: dict[str, str], tmp_path: Path) -> None:
    text = "import sys\nprint('ready', flush=True)\nsys.stdin.readline()\nburn(0.3)"
    with daemon_process(tmp_path) as first:
        process = subprocess.Popen(
            exec_line("--json", *python(text)),
            env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        until(lambda: "python" in (tmp_path / "declared.json").read_text(), "the run is remembered")
        first.kill()
        first.wait(60)
    with daemon_process(tmp_path):
        _, told = process.communicate("go\n", timeout=60)
        assert process.returncode == 0
        assert json.loads(told)["energy_j"] > 0.2 * J_PER_CPU_S


def test_a_daemon_that_does_not_answer_in_time_holds_nothing_up_for_ever(env: dict[str, str], tmp_path: Path) -> None:
    """Stopped while the command ran: the exit code comes, with what is known."""
    text = "import sys\nprint('ready', flush=True)\nsys.stdin.readline()\nsys.exit(9)"
    with daemon_process(tmp_path) as stopped:
        process = subprocess.Popen(
            exec_line("--wait", "1", *python(text)),
            env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.kill(stopped.pid, signal.SIGSTOP)
        try:
            _, told = process.communicate("go\n", timeout=60)
        finally:
            os.kill(stopped.pid, signal.SIGCONT)
        assert process.returncode == 9
        assert "note: The daemon does not answer any more" in told


def test_a_summary_that_cannot_be_written_costs_no_exit_code(env: dict[str, str], tmp_path: Path) -> None:
    done = run(env, "-o", str(tmp_path / "no" / "folder"), "sh", "-c", "exit 5")
    assert done.returncode == 5
    assert "cannot be written: No such file or directory." in done.stderr

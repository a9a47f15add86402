"""codecarbon's data must reach the daemon without its weight, its network and its GPU probes."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tracker import codecarbon_child
from tracker.codecarbon_facts import CACHE_NAME, codecarbon_facts
from tracker.core.printed import PrintedIntensity

EPYC = "AMD EPYC 9654 96-Core Processor"
#: Ends the interpreter when it does what the child must not do.
STERN = """
import os, runpy, sys
FORBIDDEN = {"socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.fork", "os.exec", "os.posix_spawn",
             "os.system", "ctypes.dlopen"}
def hook(event, arguments):
    if event in FORBIDDEN:
        sys.stderr.write(f"forbidden: {event} {arguments}\\n")
        os._exit(97)
sys.addaudithook(hook)
sys.argv = ["child", sys.argv[1]]
try:
    runpy.run_module("tracker.codecarbon_child", run_name="__main__")
except SystemExit as end:
    heavy = sorted({name.partition(".")[0] for name in sys.modules} & {"codecarbon", "pandas", "numpy", "pynvml"})
    sys.stderr.write(f"imported: {heavy}\\n")
    raise
"""


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
    )


def script(tmp_path: Path, text: str) -> tuple[str, str]:
    """A stand-in for the child."""
    path = tmp_path / "child.py"
    path.write_text(text, encoding="utf-8")
    return sys.executable, str(path)


def counting(tmp_path: Path, text: str = "") -> tuple[str, str]:
    """A child that leaves a line in "asked" each time, and then does ``text`` or the real thing."""
    real = "import runpy; sys.argv[0] = 'child'; runpy.run_module('tracker.codecarbon_child', run_name='__main__')"
    asked = tmp_path / "asked"
    return script(
        tmp_path, f"import sys\nwith open({str(asked)!r}, 'a') as out: print('x', file=out)\n{text or real}\n"
    )


def asked(tmp_path: Path) -> int:
    return len((tmp_path / "asked").read_text("utf-8").splitlines())


def test_the_child_answers_offline_without_a_process_or_a_gpu_library() -> None:
    """Under an audit hook that kills it at the first socket, fork or shared library."""
    done = python("-c", STERN, EPYC)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "imported: []\n"
    answer = json.loads(done.stdout)
    assert answer["cpu"] == {"tdp_mw": 360_000, "reason": ""}
    countries, world = answer["tables"]
    intensity_mg_per_kwh, year = countries["values"]["FRA"]
    assert 20_000 < intensity_mg_per_kwh < 100_000  # 56.039 g/kWh of 2023 in codecarbon 3.3.2
    assert year >= 2023
    assert countries["factor_type"] == "lifecycle"
    assert len(countries["values"]) > 200
    assert world["values"]["WORLD"][0] == pytest.approx(475_000, rel=0.2)
    assert "iea.org" in world["source"]
    (clouds,) = answer["regions"]
    assert (clouds["factor_type"], clouds["unit"], clouds["year"]) == ("unspecified", "g/kWh", 0)
    assert 200 < float(clouds["values"]["gcp:us-east4"]) < 500
    assert answer["problem"] == ""


def test_the_audit_hook_of_the_test_above_bites() -> None:
    done = python("-c", STERN.replace("tracker.codecarbon_child", "codecarbon"), EPYC)
    assert done.returncode == 97
    assert "forbidden" in done.stderr


def test_facts_come_from_the_child_and_then_from_the_cache(tmp_path: Path) -> None:
    """The second start costs no process."""
    command = counting(tmp_path)
    first = codecarbon_facts(EPYC, tmp_path / "cache", command=command)
    assert (first.cpu_tdp_mw, first.note, first.cpu_note) == (360_000, "", "")
    assert first.countries["FRA"].factor_type == "lifecycle"
    assert first.countries["WORLD"].factor_type == "direct"
    assert first.edition == f"codecarbon-{first.version}"
    assert codecarbon_facts(EPYC, tmp_path / "cache", command=command) == first
    assert asked(tmp_path) == 1
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [CACHE_NAME]


def test_regions_keep_the_value_as_it_was_printed(tmp_path: Path) -> None:
    """322 and not 322.000."""
    cloud = codecarbon_facts("", tmp_path).countries["gcp:us-east4"]
    assert isinstance(cloud, PrintedIntensity)
    assert (cloud.intensity_mg_per_kwh, cloud.unit_printed) == (int(cloud.value_printed) * 1000, "g/kWh")
    assert (cloud.year, cloud.factor_type) == (0, "unspecified")


def test_places_whose_factor_is_no_printed_figure_are_left_out(tmp_path: Path) -> None:
    """Provinces of Canada and zones of the North are mixes in which sources without a factor count as zero. EPA's rates
    of states are official and ship: an upgrade of codecarbon must not change them."""
    known = codecarbon_facts("", tmp_path).countries
    assert not [code for code in known if code.startswith(("SE1", "NO1"))]
    assert not [code for code in known if "-" in code and ":" not in code]


def test_another_cpu_is_another_question(tmp_path: Path) -> None:
    command = counting(tmp_path)
    codecarbon_facts(EPYC, tmp_path, command=command)
    other = codecarbon_facts("Intel(R) Xeon(R) Platinum 8480+", tmp_path, command=command)
    assert other.cpu_tdp_mw == 350_000
    assert asked(tmp_path) == 2


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\x00\xff",
        b'{"format": 1',
        b"[]",
        b'{"format": 1, "codecarbon": "3.3.2", "cpu_model": "x", "answer": {}}',
        None,  # an older format
        "version",  # asked of another codecarbon
    ],
)
def test_a_damaged_or_stale_cache_is_asked_anew(tmp_path: Path, damage: bytes | str | None) -> None:
    command = counting(tmp_path)
    first = codecarbon_facts(EPYC, tmp_path, command=command)
    path = tmp_path / CACHE_NAME
    kept = json.loads(path.read_text("utf-8"))
    match damage:
        case None:
            path.write_text(json.dumps({**kept, "format": 0}), encoding="utf-8")
        case str():
            path.write_text(json.dumps({**kept, "codecarbon": "3.0.0"}), encoding="utf-8")
        case _:
            path.write_bytes(damage)
    assert codecarbon_facts(EPYC, tmp_path, command=command) == first
    assert asked(tmp_path) == 2
    assert json.loads(path.read_text("utf-8")) == kept


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sys.exit('it broke')", "it broke"),
        ("sys.exit(3)", "its process ended with code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "its process ended with code -9"),
        ("print('Traceback: nonsense')", "its answer cannot be understood"),
        ("print('{\"version\": 3}')", "its answer cannot be understood"),
        ("pass", "its answer cannot be understood"),
    ],
)
def test_a_broken_child_gives_no_values_and_the_reason(tmp_path: Path, text: str, reason: str) -> None:
    """Nothing is invented, nothing is kept, and the next start asks again."""
    command = counting(tmp_path, text)
    for _ in range(2):
        facts = codecarbon_facts(EPYC, tmp_path, command=command)
        assert (facts.cpu_tdp_mw, dict(facts.countries)) == (None, {})
        assert reason in facts.note
        assert reason in facts.cpu_note
    assert asked(tmp_path) == 2
    assert not (tmp_path / CACHE_NAME).exists()


def test_a_child_that_hangs_is_killed_at_the_deadline(tmp_path: Path) -> None:
    command = script(tmp_path, "import time\ntime.sleep(600)")
    facts = codecarbon_facts(EPYC, tmp_path, deadline_s=0.5, command=command)
    assert "no answer within 0.5 s" in facts.note
    assert (facts.cpu_tdp_mw, dict(facts.countries)) == (None, {})
    assert [line for line in command_lines() if command[1] in line] == []


def command_lines() -> list[str]:
    """What runs on this machine now."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(path.read_text("utf-8", "replace"))
    return lines


def test_the_child_gets_no_input_no_path_and_no_secrets(tmp_path: Path) -> None:
    """A proxy or a token in the daemon's environment is none of its business."""
    text = "import os, sys\nsys.exit(repr((sys.stdin.read(), os.environ['PATH'], 'WATTLEDGER_X' in os.environ)))"
    os.environ["WATTLEDGER_X"] = "secret"
    try:
        facts = codecarbon_facts(EPYC, tmp_path, command=script(tmp_path, text))
    finally:
        del os.environ["WATTLEDGER_X"]
    assert "('', '', False)" in facts.note


def test_a_folder_that_takes_no_cache_costs_the_cache_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    facts = codecarbon_facts(EPYC, tmp_path / "file" / "cache")
    assert facts.cpu_tdp_mw == 360_000


def test_the_cache_is_replaced_in_one_step(tmp_path: Path) -> None:
    """A crash while writing must not leave half a file: the old one is another inode, whole until the end."""
    codecarbon_facts(EPYC, tmp_path)
    before = (tmp_path / CACHE_NAME).open("rb")
    with before:
        codecarbon_facts("", tmp_path)
        assert json.loads(before.read())["cpu_model"] == EPYC
    assert stat.S_ISREG((tmp_path / CACHE_NAME).stat().st_mode)


@pytest.mark.parametrize("model", ["", "AMD EPYC", "Neoverse-N1", "\ud800", "x" * 100_000])
def test_an_unknown_cpu_has_no_tdp_and_a_reason(tmp_path: Path, model: str) -> None:
    """A virtual machine that hides its model is not given somebody else's TDP; the country factors are there."""
    facts = codecarbon_facts(model, tmp_path)
    assert facts.cpu_tdp_mw is None
    assert facts.cpu_note


def test_the_daemon_never_imports_codecarbon() -> None:
    """76 MB, a network probe and nvidia-smi: not in this process."""
    text = (
        "import sys, pathlib, tempfile\nfrom tracker.codecarbon_facts import codecarbon_facts\n"
        f"facts = codecarbon_facts({EPYC!r}, pathlib.Path(tempfile.mkdtemp()))\nassert facts.cpu_tdp_mw == 360000\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'codecarbon', 'pandas', 'numpy', 'csv'}))"
    )
    done = python("-c", text)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


MODELS = [
    EPYC,
    "AMD EPYC",
    "AMD EPYC 7763 64-Core Processor",
    "AMD EPYC 7R13 Processor",
    "AMD EPYC 7V13 64-Core Processor",
    "AMD EPYC-Genoa Processor",
    "AMD EPYC 9575F 64-Core Processor",
    "AMD Ryzen Threadripper PRO 5995WX 64-Cores",
    "Intel(R) Xeon(R) Platinum 8480+",
    "Intel(R) Xeon(R) Platinum 8480C",
    "INTEL(R) XEON(R) PLATINUM 8580",
    "Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz",
    "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz",
    "Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz",
    "Intel(R) Xeon(R) CPU @ 2.20GHz",
    "Intel Xeon Processor (Icelake)",
    "Intel(R) Xeon(R) 6980P",
    "13th Gen Intel(R) Core(TM) i9-13900K",
    "Intel(R) Core(TM) i9-14900K",
    "QEMU Virtual CPU version 2.5+",
    "Common KVM processor",
    "Neoverse-V2",
    "Intel",
]


def test_cpus_are_matched_as_codecarbon_matches_them(tmp_path: Path) -> None:
    """Its own matcher, run apart with nothing to start and no NVML, and ours say the same."""
    text = (
        "import json, sys\nsys.modules['pynvml'] = None\nfrom codecarbon.core.cpu import TDP\n"
        "from codecarbon.input import DataSource\ntable = DataSource().get_cpu_power_data()\ntdp = TDP.__new__(TDP)\n"
        "print(json.dumps([tdp._get_matching_cpu(model, table) for model in json.loads(sys.argv[1])]))"
    )
    done = python("-W", "ignore", "-c", text, json.dumps(MODELS), PATH="", HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    folder = codecarbon_child.package_folder()
    assert folder is not None
    rows = codecarbon_child.read_csv(folder / "data" / "hardware" / "cpu_power.csv")
    names = [row["Name"] for row in rows]
    assert [codecarbon_child.match_cpu(model, names) for model in MODELS] == json.loads(done.stdout)


@pytest.mark.parametrize("tdp", ["27.29.5", "", "-5", "0", "nan", "inf", "abc"])
def test_a_tdp_that_is_no_power_is_no_tdp(tdp: str) -> None:
    """The table of codecarbon 3.3.2 has rows such as "27.29.5"."""
    answer = codecarbon_child.cpu_answer("Some CPU 1", [{"Name": "Some CPU 1", "TDP": tdp}])
    assert answer["tdp_mw"] is None
    assert "no usable TDP" in answer["reason"]


def test_a_data_file_that_changed_costs_its_own_part_only(tmp_path: Path) -> None:
    """A later codecarbon may move or rename things: what is left still works, and the rest is said."""
    infra = tmp_path / "data" / "private_infra"
    infra.mkdir(parents=True)
    (tmp_path / "_version.py").write_text('__version__ = "9.9"\n', encoding="utf-8")
    mixes = '{"FRA": {"carbon_intensity": 56.0395}, "AAA": {}, "BBB": {"carbon_intensity": "n/a"}}'
    (infra / "global_energy_mix.json").write_text(mixes, encoding="utf-8")
    (tmp_path / "data" / "hardware").mkdir()
    (tmp_path / "data" / "hardware" / "cpu_power.csv").write_bytes(b"Name,TDP\nA\0B,\xff\n")
    (infra / "carbon_intensity_per_source.json").write_text("[]", encoding="utf-8")
    answer = codecarbon_child.answer(tmp_path, EPYC)
    assert answer["version"] == "9.9"
    assert "cannot be read" in answer["cpu"]["reason"]
    assert answer["tables"][0]["values"] == {"FRA": [56_040, 0]}
    assert len(answer["tables"]) == 1
    assert "world average cannot be read" in answer["problem"]
    assert answer["regions"] == []
    assert "cloud regions cannot be read" in answer["problem"]


def test_cloud_figures_without_a_known_unit_are_left_out() -> None:
    """impact.csv states none; that of Google's page is known."""
    google = {"provider": "gcp", "region": "us-east4", "impact": "322", "source": f"{codecarbon_child.GOOGLE}#data"}
    odd = [{**google, "region": "us-1", "source": "https://example.org"}, {**google, "region": "a b"}]
    none = [{**google, "region": "us-2", "impact": ""}, {**google, "region": "us-3", "impact": "nan"}]
    (table,) = codecarbon_child.cloud_tables([google, *odd, *none], "9.9")
    assert table["values"] == {"gcp:us-east4": "322"}

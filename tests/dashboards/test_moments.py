"""What panels say of what was not there all the time: servers and nodes that came, went or moved. By promtool."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.dashboards.arithmetic import FOLDER, Claim, Script, promtool_file

pytestmark = pytest.mark.needs("promtool")
_POD = 'kind="pod",team="nlp",project="x",phase="inference"'
_CHOSEN = {"team": "nlp"}


def _said(folder: Path, script: Script) -> None:
    file = folder / "moments.yml"
    text = promtool_file(script).replace("../recording.yml", str(FOLDER.parent / "recording.yml"))
    file.write_text(text, encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_strip_is_about_the_time_range_and_not_about_its_end(tmp_path: Path) -> None:
    """Fifty minutes modelled and of nobody known, then ten of the best: the numbers above are of the whole hour."""
    node = 'hostname="a",component="gpu"'
    modelled, measured = "0x60 6000+6000x49 300000x10", "0x110 6000+6000x9"
    series = {
        f'wattledger_device_energy_joules_total{{{node},device="g",method="modelled"}}': modelled,
        f'wattledger_device_energy_joules_total{{{node},device="g",method="measured"}}': measured,
        f'wattledger_workload_energy_joules_total{{{node},kind="unattributed",method="modelled"}}': modelled,
        f'wattledger_workload_energy_joules_total{{{node},workload="pod/1",{_POD},method="measured"}}': measured,
    }
    claims = [Claim("Measured", {"{}": 0.167}), Claim("Unattributed", {"{}": 0.833})]
    for board in ("node", "overview"):
        _said(tmp_path, Script(board, series, claims, recorded=True))


def test_a_busy_gpu_wastes_nothing(tmp_path: Path) -> None:
    """It has an idle floor, too. Overview and Team say the same of the GPU beside it, which is held and not used."""
    energy, idle = "wattledger_workload_energy_joules_total", "wattledger_workload_idle_energy_joules_total"
    held = "wattledger_workload_held_seconds_total"
    busy, waiting = (f'hostname="a",component="gpu",workload="{name}",{_POD}' for name in ("busy", "waiting"))
    series = {
        f"{energy}{{{busy}}}": "0+24000x120",
        f"{idle}{{{busy}}}": "0+6000x120",
        f"{held}{{{busy}}}": "0+60x120",
        f"{energy}{{{waiting}}}": "0+6000x120",
        f"{idle}{{{waiting}}}": "0+4200x120",
        f"{held}{{{waiting}}}": "0+60x120",
    }
    busy_only, waiting_only = {"workload": "busy"}, {"workload": "waiting"}
    overview = [
        Claim("Held and not used", {"{}": 0.2}),
        Claim("Held and not used", {"{}": 0}, chosen=busy_only),
        Claim("Power of what nobody uses", {"{}": 100}),
    ]
    team = [
        Claim("Held and not used", {"{}": 0.1}),
        Claim("Held and not used", {"{}": 0.1}, chosen=waiting_only),
        Claim("GPUs held and not used, by project", {'{project="x"}': 100}),
    ]
    recorded_power = {f"project:wattledger_workload_power_watts:rate5m{{{_POD}}}": "500x120"}
    _said(tmp_path, Script("overview", {**series, **recorded_power}, overview, recorded=True))
    _said(tmp_path, Script("team", series, team, recorded=True))


def _servers(**servers: tuple[str, str, str, str]) -> Mapping[str, str]:
    """Of each: energy, output tokens, requests in work of a vLLM; of a TensorRT-LLM where it does not say."""
    series: dict[str, str] = {}
    for name, (energy, output, requests, running) in servers.items():
        names = f'namespace="s",pod="{name}"'
        work, pod = f'hostname="a",workload="pod/{name}",{_POD}', f"{{{names}}}"
        prefix = "vllm:" if running else "trtllm_"
        series |= {
            f"wattledger_workload_energy_joules_total{{{work}}}": energy,
            f'wattledger_workload_info{{hostname="a",workload="pod/{name}",kind="pod",{names}}}': "1x120",
            f"{prefix}generation_tokens_total{pod}": output,
            f"{prefix}request_success_total{pod}": requests,
        }
        if running:
            series[f"vllm:num_requests_running{pod}"] = running
    return series


def test_a_server_that_has_ended_had_its_energy(tmp_path: Path) -> None:
    """An idle server of half an hour, ended, beside one that works: 0.05 of 0.15 kWh were without a request, to a rate
    window."""
    series = _servers(
        ended=("0+6000x90 stale", "0x90 stale", "0x90 stale", "0x90 stale"),
        works=("0+6000x120", "0+600x120", "0+6x120", "3x120"),
    )
    claims = [
        Claim("The same in kWh", {"{}": 0.052792}),
        Claim("The same in kWh", {"{}": 0.050833}, chosen={"workload": "pod/ended"}),
    ]
    _said(tmp_path, Script("inference", series, claims, chosen=_CHOSEN))


def test_steady_and_all_in_are_of_the_same_servers(tmp_path: Path) -> None:
    """A TensorRT-LLM does not say when it works: it is in neither of the two that are compared."""
    series = _servers(
        vllm=("0+24000x120", "0+6000x120", "0+6x120", "3x120"), trt=("0+6000x120", "0+6000x120", "0+6x120", "")
    )
    claims = [
        Claim("Per 1k output, steady", {"{}": 4000}),
        Claim("The same servers, all in", {"{}": 4000}),
        Claim("Per 1k output, all in", {"{}": 2500}),
    ]
    _said(tmp_path, Script("inference", series, claims, chosen=_CHOSEN))


def test_a_node_is_its_name_and_not_its_address(tmp_path: Path) -> None:
    """Its port changed an hour ago, and it ticks."""
    old, new = 'job="w",instance="a:1"', 'job="w",instance="a:2"'
    series = {
        f"wattledger_tick_timestamp_seconds{{{old}}}": "0+60x60 stale",
        f'wattledger_conservation_error_joules{{{old},hostname="n"}}': "0x60 stale",
        f"wattledger_tick_timestamp_seconds{{{new}}}": "_x61 3660+60x60",
        f'wattledger_conservation_error_joules{{{new},hostname="n"}}': "_x61 0x60",
    }
    claims = [
        Claim("Nodes that report", {"{}": 1}),
        Claim("Silent nodes", {"{}": 0}),
        Claim("Which nodes are silent", {}),
    ]
    _said(tmp_path, Script("fleet-health", series, claims))


def test_a_node_that_never_shipped_is_named(tmp_path: Path) -> None:
    """It has no last success, and its month would be missing."""
    good, never, dead = (f'job="w",instance="{name}"' for name in "abc")
    series = {
        **{f"wattledger_tick_timestamp_seconds{{{each}}}": "0+60x120" for each in (good, never)},
        f"wattledger_tick_timestamp_seconds{{{dead}}}": "0+60x90 stale",
        f'wattledger_conservation_error_joules{{{good},hostname="a"}}': "0x120",
        f'wattledger_conservation_error_joules{{{never},hostname="b"}}': "0x120",
        f'wattledger_conservation_error_joules{{{dead},hostname="c"}}': "0x90 stale",
        f"wattledger_ship_up{{{good}}}": "1x120",
        f"wattledger_ship_up{{{never}}}": "0x120",
        f"wattledger_ship_up{{{dead}}}": "1x90 stale",
        f"wattledger_ship_last_success_timestamp_seconds{{{good}}}": "0+60x120",
        f"wattledger_ship_last_success_timestamp_seconds{{{dead}}}": "0x90 stale",
    }
    finance = [Claim("Nodes that never shipped", {"{}": 1}), Claim("Longest not shipped", {"{}": 5400})]
    _said(tmp_path, Script("finance-month", series, finance))
    table = [
        Claim("Shipping to the books", {'{hostname="a"}': 0, '{hostname="b"}': 1_000_000_000}, "A"),
        Claim("Shipping to the books", {'{hostname="a"}': 1, '{hostname="b"}': 0}, "B"),
    ]
    _said(tmp_path, Script("fleet-health", series, table))


def test_requests_alone_are_enough_for_energy_by_engine(tmp_path: Path) -> None:
    """Triton's other backends count no tokens."""
    series = {
        f'wattledger_workload_energy_joules_total{{hostname="a",workload="pod/t",{_POD}}}': "0+6000x120",
        'wattledger_workload_info{hostname="a",workload="pod/t",kind="pod",namespace="s",pod="t"}': "1x120",
        'nv_inference_request_success{namespace="s",pod="t"}': "0+6x120",
    }
    claims = [
        Claim("By engine", {'{software="Triton"}': 1000}, "D"),
        Claim("By engine", {'{software="Triton"}': 0.1}, "H"),
    ]
    _said(tmp_path, Script("inference", series, claims, chosen=_CHOSEN))


def test_a_server_of_two_nodes_is_said_to_be_too_cheap() -> None:
    """Only the pod with the counters can be found: the panels have to say so."""
    from dashboards.build.inference_tables import WHERE

    assert "several pods" in WHERE

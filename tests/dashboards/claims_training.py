"""One team for two hours. Its GPU job draws 200 W for half an hour and 400 W from then on.

a: slurm/7 "fold" (bio, protein)   one GPU, 50 W of it idle; another team's pod and an idle GPU beside it
b: pod/u-1 "notebook" (bio, lab)   one GPU at 80 W, 70 W of it idle: held and not used
c: slurm/7 again                   CPU only, 100 W
"""

from __future__ import annotations

from tests.dashboards.arithmetic import Claim, Script

_PLACE = 'cluster="paris",hostname="%s"'
_JOB = 'workload="slurm/7",kind="slurm",team="bio",project="protein",phase="training"'
_NOTEBOOK = 'workload="pod/u-1",kind="pod",team="bio",project="lab",phase="interactive"'
_OTHER = 'workload="pod/u-2",kind="pod",team="nlp",project="chat",phase="inference"'


def _series(metric: str, host: str, work: str, more: str = "") -> str:
    return f"wattledger_{metric}{{{_PLACE % host},{work}{more}}}"


def _energy(host: str, work: str, component: str) -> str:
    return _series("workload_energy_joules_total", host, work, f',component="{component}",method="measured"')


def _idle(host: str, work: str) -> str:
    return _series("workload_idle_energy_joules_total", host, work, ',component="gpu",method="measured"')


def _held(host: str, work: str) -> str:
    return _series("workload_held_seconds_total", host, work, ',component="gpu"')


def _grams(host: str, work: str, basis: str) -> str:
    return _series("workload_emissions_grams_total", host, work, f',basis="{basis}"')


def _info(host: str, workload: str, kind: str, name: str) -> str:
    return f'wattledger_workload_info{{{_PLACE % host},workload="{workload}",kind="{kind}",name="{name}"}}'


def _units(host: str, workload: str, unit: str) -> str:
    return f'wattledger_workload_units_total{{{_PLACE % host},workload="{workload}",unit="{unit}"}}'


SERIES = {
    _energy("a", _JOB, "gpu"): "0+12000x30 384000+24000x89",
    _energy("c", _JOB, "cpu"): "0+6000x120",
    _energy("b", _NOTEBOOK, "gpu"): "0+4800x120",
    _energy("a", _OTHER, "gpu"): "0+6000x120",
    _energy("a", 'workload="idle",kind="idle"', "gpu"): "0+4200x120",
    _idle("a", _JOB): "0+3000x120",
    _idle("b", _NOTEBOOK): "0+4200x120",
    _idle("a", 'workload="idle",kind="idle"'): "0+4200x120",
    _held("a", _JOB): "0+60x120",
    _held("b", _NOTEBOOK): "0+60x120",
    _held("a", _OTHER): "0+60x120",
    _grams("a", _JOB, "location"): "0+30x120",
    _grams("a", _JOB, "market"): "0+10x120",
    _grams("b", _NOTEBOOK, "location"): "0+6x120",
    _grams("a", _OTHER, "location"): "0+5x120",
    _info("a", "slurm/7", "slurm", "fold"): "1x120",
    _info("c", "slurm/7", "slurm", "fold"): "1x120",
    # The notebook was renamed 25 minutes before the end: one name, not two rows.
    _info("b", "pod/u-1", "pod", "notebook"): "1x95",
    _info("b", "pod/u-1", "pod", "renamed"): "_x96 1x25",
    _info("a", "pod/u-2", "pod", "chat-api"): "1x120",
    # Both nodes take the same steps; each reads its own tokens. The other team's steps are nobody's here.
    _units("a", "slurm/7", "steps"): "0+6x120",
    _units("c", "slurm/7", "steps"): "0+6x120",
    _units("a", "slurm/7", "tokens"): "0+30000x120",
    _units("c", "slurm/7", "tokens"): "0+30000x120",
    _units("a", "pod/u-2", "steps"): "0+1000x120",
    f'wattledger_device_power_watts{{{_PLACE % "a"},component="gpu",device="GPU-1"}}': "400x120",
    f'wattledger_device_info{{{_PLACE % "a"},component="gpu",device="GPU-1",index="0",sensor="x"}}': "1x120",
    f'wattledger_device_power_watts{{{_PLACE % "b"},component="gpu",device="GPU-2"}}': "80x120",
}

_BIO = {"team": "bio"}
_PROTEIN, _LAB = '{team="bio", project="protein"}', '{team="bio", project="lab"}'
_JOB_ROW = (
    '{cluster="paris", workload="slurm/7", kind="slurm", team="bio", project="protein", phase="training", name="fold"}'
)
_LAB_ROW = (
    '{cluster="paris", workload="pod/u-1", kind="pod", team="bio", project="lab", phase="interactive", name="notebook"}'
)


def _team(panel: str, samples: dict[str, float], ref: str = "A") -> Claim:
    return Claim(panel, samples, ref, _BIO)


TEAM = Script(
    "team",
    SERIES,
    [
        _team("Power now", {"{}": 580}),
        _team("Energy", {"{}": 0.58}),
        _team("Emissions", {"{}": 2160}),
        _team("GPU hours held", {"{}": 2}),
        _team("Held and not used", {"{}": 0.08}),
        _team("Efficiency", {"{}": 0.75}),  # 120 W of 480 W are floor
        _team("Power by project", {'{project="protein"}': 500, '{project="lab"}': 80}),
        _team("Power by component", {'{component="gpu"}': 480, '{component="cpu"}': 100}),
        _team("Energy, change", {"{}": 0.208}),  # 0.58 after 0.48 kWh
        _team("Emissions, change", {"{}": 0}),
        _team("GPU hours, change", {"{}": 0}),
        _team("Power, now and in the period before", {"{}": 580}, "A"),
        _team("Power, now and in the period before", {"{}": 580}, "B"),  # at its end
        _team("Projects, and the period before", {_PROTEIN: 0.5, _LAB: 0.08}, "A"),
        _team("Projects, and the period before", {_PROTEIN: 0.4, _LAB: 0.08}, "B"),
        _team("Projects, and the period before", {_PROTEIN: 0.25, _LAB: 0}, "C"),
        _team("Projects, and the period before", {_PROTEIN: 1800, _LAB: 360}, "D"),
        _team("Projects, and the period before", {_PROTEIN: 1, _LAB: 1}, "E"),
        _team("Projects, and the period before", {_PROTEIN: 0.125, _LAB: 0.875}, "F"),
        _team("GPUs held and not used, by project", {'{project="lab"}': 80}),
        _team(
            "Most energy held and not used",
            {'{cluster="paris", workload="pod/u-1", kind="pod", name="notebook"}': 0.08},
        ),
        _team("Workloads", {_JOB_ROW: 0.5, _LAB_ROW: 0.08}, "A"),
        _team("Workloads", {_JOB_ROW: 1800, _LAB_ROW: 360}, "B"),
        _team("Workloads", {_LAB_ROW: 0.08}, "C"),
        _team("Workloads", {_JOB_ROW: 1, _LAB_ROW: 1}, "D"),
        Claim("Energy", {"{}": 0.68}),
    ],
    recorded=True,
)

#: One workload, or one node, is asked of its own counters: what is recorded of teams does not know it.
TEAM_CHOSEN = Script(
    "team",
    SERIES,
    [
        Claim("Energy", {"{}": 0.5}, chosen={"workload": "slurm/7"}),
        Claim("Energy", {"{}": 0.08}, chosen={"hostname": "b"}),
        Claim("Emissions", {"{}": 1800}, chosen={"workload": "slurm/7"}),
        Claim("Power now", {"{}": 500}, chosen={"workload": "slurm/7"}),
        Claim("Held and not used", {"{}": 0}, chosen={"workload": "slurm/7"}),
        Claim("Efficiency", {"{}": 0.125}, chosen={"hostname": "b"}),
        Claim("Energy, change", {"{}": 0.25}, chosen={"workload": "slurm/7"}),
        Claim("Power by project", {'{project="protein"}': 500}, chosen={"workload": "slurm/7"}),
        Claim("Power, now and in the period before", {"{}": 500}, "B", chosen={"workload": "slurm/7"}),
        Claim("Energy", {}),  # no rules here, and nothing is chosen
    ],
    suffix="_chosen",
)

_RUN = {"workload": "slurm/7"}
_A, _C = '{cluster="paris", hostname="a"}', '{cluster="paris", hostname="c"}'
_ROW = '{cluster="paris", workload="slurm/7", kind="slurm", name="fold"}'


def _run(panel: str, samples: dict[str, float], ref: str = "A") -> Claim:
    return Claim(panel, samples, ref, _RUN)


TRAINING = Script(
    "training",
    SERIES,
    [
        _run("Energy so far", {"{}": 0.9}),  # 100 Wh, then 600 Wh, and 200 Wh of CPU: both hours
        _run("Emissions so far", {"{}": 3600}),
        _run("GPU hours so far", {"{}": 2}),
        _run("Power now", {"{}": 500}),
        _run("A day more at this rate", {"{}": 12}),
        _run("A day more, emissions", {"{}": 43200}),
        _run("Power by component", {'{component="gpu"}': 400, '{component="cpu"}': 100}),
        _run("Energy so far, by component", {'{component="gpu"}': 0.7, '{component="cpu"}': 0.2}),
        _run("Power by node", {_A: 400, _C: 100}),
        _run("GPUs of its nodes", {'{cluster="paris", hostname="a", component="gpu", device="GPU-1", index="0"}': 400}),
        _run("Per step", {"{}": 5000}),  # 1.8 MJ over 360 steps, though two nodes declared them
        _run("CO2e per step", {"{}": 5}),
        _run("Per 1k tokens", {"{}": 500}),
        _run("CO2e/1k tokens", {"{}": 0.5}),
        _run("Energy per step and per 1,000 tokens", {"{}": 5000}, "A"),
        _run("Energy per step and per 1,000 tokens", {"{}": 500}, "B"),
        _run("By workload", {_ROW: 5000}, "A"),
        _run("By workload", {_ROW: 5}, "B"),
        _run("By workload", {_ROW: 500}, "C"),
        _run("By workload", {_ROW: 0.5}, "D"),
        _run("By workload", {_ROW: 360}, "E"),
        _run("By workload", {_ROW: 3600000}, "F"),
        _run("GPU hours in idle gaps", {"{}": 0}),
        Claim("GPU hours in idle gaps", {"{}": 1}, chosen={"workload": "pod/u-1"}),
        _run("Idle share of GPU energy", {"{}": 0.125}),
        _run("Idle share of GPU energy, by node", {_A: 0.125}),
        _run("GPUs held, by node", {_A: 1}),
        _run("Nodes of the run", {_A: 0.4, _C: 0.1}, "A"),
        _run("Nodes of the run", {_A: 400, _C: 100}, "B"),
        _run("Nodes of the run", {_A: 1}, "C"),
        _run("Nodes of the run", {_A: 0.125}, "D"),
        _run("Nodes of the run", {_A: 1, _C: 1}, "E"),
        _run("Emissions so far, by basis", {'{basis="location"}': 3600, '{basis="market"}': 1200}),
        Claim("Per step", {}, chosen={"workload": "pod/u-1"}),  # declared nothing: no number, not 0
    ],
)

#: A run that was requeued: half an hour on one node, half an hour on another.
_MOVED = 'workload="run/r",kind="run"'
_FIRST, _THEN = "0+%dx90 %dx30", "_x90 0+%dx30"
TRAINING_MOVED = Script(
    "training",
    {
        _energy("a", _MOVED, "gpu"): _FIRST % (6000, 540_000),
        _energy("b", _MOVED, "gpu"): _THEN % 6000,
        _grams("a", _MOVED, "location"): _FIRST % (10, 900),
        _grams("b", _MOVED, "location"): _THEN % 10,
        _info("a", "run/r", "run", "llm"): "1x90",
        _info("b", "run/r", "run", "llm"): "_x90 1x30",
        _units("a", "run/r", "steps"): _FIRST % (10, 900),
        _units("b", "run/r", "steps"): _THEN % 10,
    },
    [
        Claim("Per step", {"{}": 600}),  # 360 kJ over 600 steps, not over the 300 of one node
        Claim("CO2e per step", {"{}": 1}),
        Claim("By workload", {'{cluster="paris", workload="run/r", kind="run", name="llm"}': 600}, "A"),
        Claim("By workload", {'{cluster="paris", workload="run/r", kind="run", name="llm"}': 600}, "E"),
    ],
    chosen={"workload": "run/r"},
    suffix="_moved",
)

#: Steps that take eight minutes, on two nodes, each seen by one of them some minutes after the other.
_SLOW = 'workload="run/s",kind="run"'
TRAINING_SLOW = Script(
    "training",
    {
        _energy("a", _SLOW, "gpu"): "0+6000x120",
        _energy("b", _SLOW, "gpu"): "0+6000x120",
        _units("a", "run/s", "steps"): " ".join(f"{each}x7" for each in range(16)),
        _units("b", "run/s", "steps"): "0x3 " + " ".join(f"{each}x7" for each in range(1, 16)),
    },
    [Claim("Per step", {"{}": 96_000})],  # 720 kJ over 7.5 steps: both say as many
    chosen={"workload": "run/s"},
    suffix="_slow",
)

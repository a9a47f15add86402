"""Where settings come from, which one wins, and that each knows its origin."""

from __future__ import annotations

import socket
from datetime import date
from pathlib import Path

import pytest

from tests.config.kit import Cluster, Nvml, Open, Rapl, Service, loaded
from tracker.config import Duration, load
from tracker.config.load import default_state_dir
from tracker.config.schema import Embodied, GridZone, PuePeriod
from tracker.core.errors import UsageError
from tracker.core.rules import parse_rules

FULL = """
[node]
hostname = "gpu-017"
cluster = "paris-1"
site = "par1"
state_dir = "/srv/wattledger"
sysfs = "/host/sys"
procfs = "/host/proc"

[site.par1]
zone = "FR"
pue = 1.21
pue_source = "operator, 2026-Q3"
timezone = "Europe/Paris"
control = "colo"
colo_overhead = "scope3-8"

[site.osl]
zone = "NO-NO1"
pue = 1.1
pue_from = 2026-07-01

[[site.osl.pue_periods]]
from = 2025-01-01
to = 2026-01-01
pue = 1.3
source = "meter, 2025"

[sampling]
tick = "2s"
commit = "1m30s"

[sources]
nvml = { period_s = 2, skip = ["GPU-1"] }
rapl = {}

[workloads]
units = ["nginx.service", "k3s*"]
max_series = 100
own_only = true
gpu_replicas = 4

[workloads.cluster]
labels = ["team"]

[[workloads.rules]]
match = { namespace = "nlp-*", "label:app" = ["bert", "gpt*"] }
set = { team = "nlp", project = "{label:app|none}", phase = "training" }

[[workloads.rules]]
set = { team = "others" }

[grid]
provider = "electricitymaps"
token_file = "/run/secrets/em"
tiers = [1, 2, 4]
poll = "15m"

[grid.zone.uk]
chain = ["neso", "electricitymaps", "tables"]
tiers = [1, 4]

[grid.electricitymaps]
regions = { FR = "fr" }

[accounting]
location_factor = "hourly"
instruments_file = "/etc/wattledger/instruments.toml"

[accounting.embodied]
lifetime_h = 35040
host_kgco2e = 2500.5
devices = { "NVIDIA H100 80GB HBM3" = 164 }
source = "maker's product sheet"

[web]
listen = "0.0.0.0:9837"

[idle]
gpu_w = 58
cpu_w = 41.5

[log]
level = "debug"
format = "json"
"""


def test_without_a_file_the_defaults_apply(tmp_path: Path) -> None:
    config = loaded(tmp_path)
    assert config.path is None
    assert config.node.hostname == socket.gethostname()
    assert (config.node.sysfs, config.node.procfs) == (Path("/sys"), Path("/proc"))
    assert (config.sampling.tick.s, config.sampling.commit.s) == (5.0, 10.0)
    assert config.web.listen == "127.0.0.1:9837", "nobody outside may read it unless somebody says so"
    assert config.sources is None, "absent: everything that is present is used"
    assert (config.here.zone, config.here.pue) == (None, None)
    assert (config.idle.gpu_mw, config.idle.cpu_mw) == (None, None)


def test_everything_can_be_set_in_the_file(tmp_path: Path) -> None:
    config = loaded(tmp_path, FULL)
    node = config.node
    assert (node.hostname, node.cluster, node.site) == ("gpu-017", "paris-1", "par1")
    assert (node.state_dir, node.sysfs, node.procfs) == (
        Path("/srv/wattledger"),
        Path("/host/sys"),
        Path("/host/proc"),
    )
    assert (config.here.zone, config.here.pue, config.here.timezone) == ("FR", 1.21, "Europe/Paris")
    assert (config.here.pue_source, config.here.control) == ("operator, 2026-Q3", "colo")
    assert config.site["osl"].zone == "NO-NO1"
    assert (config.sampling.tick.ns, config.sampling.commit.ns) == (2_000_000_000, 90_000_000_000)
    assert config.sources == {"nvml": Nvml(period_s=2.0, skip=("GPU-1",)), "rapl": Rapl()}
    assert config.workloads.units == ("nginx.service", "k3s*")
    assert config.workloads.max_series == 100
    assert (config.workloads.own_only, config.workloads.gpu_replicas) == (True, 4)
    assert config.workloads.resolvers == {"cluster": Cluster(labels=("team",))}
    assert [rule.number for rule in parse_rules(config.workloads.rules)] == [1, 2]
    assert config.site["osl"].pue_periods == (
        PuePeriod(begin=date(2025, 1, 1), to=date(2026, 1, 1), pue=1.3, source="meter, 2025"),
    )
    assert (config.site["osl"].pue_from, config.here.colo_overhead) == (date(2026, 7, 1), "scope3-8")
    grid = config.grid
    assert (grid.provider, grid.tiers, grid.poll.s) == ("electricitymaps", (1, 2, 4), 900.0)
    assert grid.providers == {
        "electricitymaps": Service(token_file="/run/secrets/em", regions={"FR": "fr"}),
        "neso": Open(),
    }
    assert grid.zone == {"GB": GridZone(chain=("neso", "electricitymaps", "tables"), tiers=(1, 4))}
    accounting = config.accounting
    assert accounting.location_factor == "hourly"
    assert accounting.instruments_file == "/etc/wattledger/instruments.toml"
    assert accounting.embodied == Embodied(
        lifetime_h=35_040,
        host_kgco2e=2500.5,
        devices={"NVIDIA H100 80GB HBM3": 164.0},
        source="maker's product sheet",
    )
    assert config.web.listen == "0.0.0.0:9837"
    assert (config.idle.gpu_mw, config.idle.cpu_mw) == (58_000, 41_500)
    assert (config.log.level, config.log.format) == ("debug", "json")


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    text = '[node]\nhostname = "file"\ncluster = "file"\nstate_dir = "/file"\n'
    environ = {"WATTLEDGER_NODE__CLUSTER": "environment", "WATTLEDGER_NODE__STATE_DIR": "/environment"}
    config = loaded(tmp_path, text, environ, {"node.state_dir": "/flag", "node.sysfs": None})
    assert (config.node.hostname, config.node.cluster) == ("file", "environment")
    assert config.node.state_dir == Path("/flag")
    assert config.node.sysfs == Path("/sys"), "a flag that was not given sets nothing"
    file = str(tmp_path / "config.toml")
    assert config.origins["node.hostname"] == f"{file}:2"
    assert config.origins["node.cluster"] == "environment WATTLEDGER_NODE__CLUSTER"
    assert config.origins["node.state_dir"] == "flag --state-dir"
    assert "node.sysfs" not in config.origins
    assert config.path == tmp_path / "config.toml"


@pytest.mark.parametrize("name", ["WATTLEDGER_SITE__PAR_1__PUE", "WATTLEDGER_SITE__par_1__pue"])
def test_a_variable_reaches_a_site_whose_name_has_a_dash_and_capitals(tmp_path: Path, name: str) -> None:
    config = loaded(tmp_path, '[site.Par-1]\nzone = "FR"\n', {name: "1.5"})
    assert (config.here.zone, config.here.pue) == ("FR", 1.5)


def test_variables_carry_numbers_lists_truth_and_texts_that_look_like_numbers(tmp_path: Path) -> None:
    environ = {
        "WATTLEDGER_NODE__HOSTNAME": "017",
        "WATTLEDGER_NODE__CLUSTER": '"quoted"',
        "WATTLEDGER_WORKLOADS__MAX_SERIES": "7",
        "WATTLEDGER_WORKLOADS__UNITS": '["a*", "b"]',
        "WATTLEDGER_SOURCES__NVML__PROCESSES": "false",
        "WATTLEDGER_SOURCES__NVML__PERIOD_S": "0.5",
        "WATTLEDGER_SOURCES__RAPL": "{}",
        "WATTLEDGER_SAMPLING__TICK": "10s",
        "WATTLEDGER_LOG__LEVEL": "error",
        "WATTLEDGER_SOURCES__NVML__SOCKET": "/run/y",
    }
    config = loaded(tmp_path, "", environ)
    assert (config.node.hostname, config.node.cluster) == ("017", "quoted")
    assert (config.workloads.max_series, config.workloads.units) == (7, ("a*", "b"))
    assert config.sources == {"nvml": Nvml(processes=False, period_s=0.5, socket=Path("/run/y")), "rapl": Rapl()}
    assert (config.sampling.tick.s, config.log.level) == (10.0, "error")


def test_what_kubernetes_sets_for_a_service_of_this_name_is_left_alone(tmp_path: Path) -> None:
    """Every pod beside a Service called wattledger gets these: the daemon must still start."""
    environ = {
        "WATTLEDGER_PORT": "tcp://10.0.0.1:9837",
        "WATTLEDGER_SERVICE_HOST": "10.0.0.1",
        "WATTLEDGER_PORT_9837_TCP_ADDR": "10.0.0.1",
        "WATTLEDGER_NO_SKIP": "1",
    }
    assert loaded(tmp_path, "", environ) == loaded(tmp_path, "", {})


def test_a_secret_may_come_by_environment(tmp_path: Path) -> None:
    config = loaded(tmp_path, "", {"WATTLEDGER_SOURCES__NVML__TOKEN": "s3cr3t"})
    assert config.sources == {"nvml": Nvml(token="s3cr3t")}


def test_in_a_pod_the_node_is_named_by_the_downward_api(tmp_path: Path) -> None:
    """The host name inside a pod is the pod's: energy would move to another node at each restart."""
    config = loaded(tmp_path, "", {"NODE_NAME": "ip-10-0-0-7"})
    assert config.node.hostname == "ip-10-0-0-7"
    assert config.origins["node.hostname"] == "environment NODE_NAME"
    assert loaded(tmp_path, '[node]\nhostname = "x"\n', {"NODE_NAME": "y"}).node.hostname == "x"


def test_the_only_site_needs_no_choosing(tmp_path: Path) -> None:
    config = loaded(tmp_path, '[site.par1]\nzone = "FR"\n')
    assert (config.node.site, config.here.zone) == ("par1", "FR")
    assert config.origins["node.site"] == "the only site"


def test_who_slows_the_tick_down_need_not_slow_the_commit_down(tmp_path: Path) -> None:
    config = loaded(tmp_path, '[sampling]\ntick = "30s"\n')
    assert config.sampling.commit == config.sampling.tick
    assert config.origins["sampling.commit"] == "as sampling.tick"


def test_rules_know_where_they_are_written(tmp_path: Path) -> None:
    """``wattledger check`` names the line of the rule that named a workload."""
    origins = loaded(tmp_path, FULL).origins
    lines = (tmp_path / "config.toml").read_text().splitlines()
    heads = [number for number, line in enumerate(lines, 1) if line == "[[workloads.rules]]"]
    assert [origins[f"workloads.rules.{i}"] for i in (0, 1)] == [f"{tmp_path}/config.toml:{head}" for head in heads]


def test_rules_by_environment_replace_those_of_the_file(tmp_path: Path) -> None:
    variable = "WATTLEDGER_WORKLOADS__RULES"
    config = loaded(tmp_path, FULL, {variable: '[{ match = { user = "a" }, set = { team = "x" } }]'})
    assert config.workloads.rules == ({"match": {"user": "a"}, "set": {"team": "x"}},)
    assert config.origins["workloads.rules"] == f"environment {variable}"
    assert "workloads.rules.0" not in config.origins


def test_a_resolver_without_a_section_finds_out_by_itself(tmp_path: Path) -> None:
    assert loaded(tmp_path, "[workloads]\nmax_series = 7\n").workloads.resolvers == {}
    assert loaded(tmp_path, "[workloads.cluster]\n").workloads.resolvers == {"cluster": Cluster()}


def test_a_flag_may_replace_a_whole_table(tmp_path: Path) -> None:
    config = loaded(tmp_path, "[sources]\nnvml = {}\n", None, {"sources": {"rapl": {}}})
    assert config.sources == {"rapl": Rapl()}


def test_a_system_file_is_used_when_there_is_one(tmp_path: Path) -> None:
    path = tmp_path / "system.toml"
    path.write_bytes(b'\xef\xbb\xbf[node]\nhostname = "system"\n')  # with the byte order mark of some editors
    config = load(
        None,
        environ={},
        source_options={},
        resolver_options={},
        live_options={},
        system_path=path,
    )
    assert (config.node.hostname, config.path) == ("system", path)


def test_the_ledger_lives_where_this_user_may_write(tmp_path: Path) -> None:
    nowhere = tmp_path / "absent"
    assert default_state_dir({}, root=True, system=nowhere) == nowhere
    assert default_state_dir({"HOME": "/home/a"}, root=False, system=tmp_path) == tmp_path
    assert default_state_dir({"HOME": "/home/a"}, root=False, system=nowhere) == Path("/home/a/.local/state/wattledger")
    given = {"HOME": "/home/a", "XDG_STATE_HOME": "/s"}
    assert default_state_dir(given, root=False, system=nowhere) == Path("/s/wattledger")
    relative = {"HOME": "/home/a", "XDG_STATE_HOME": "s"}
    assert default_state_dir(relative, root=False, system=nowhere) == Path("/home/a/.local/state/wattledger")


@pytest.mark.parametrize(
    ("text", "ns", "back"),
    [
        ("5s", 5_000_000_000, "5s"),
        ("250ms", 250_000_000, "250ms"),
        ("1.5s", 1_500_000_000, "1s500ms"),
        ("1h30m", 5_400_000_000_000, "1h30m"),
        ("90m", 5_400_000_000_000, "1h30m"),
        ("1d", 86_400_000_000_000, "1d"),
        ("0s", 0, "0s"),
    ],
)
def test_durations(text: str, ns: int, back: str) -> None:
    assert Duration.parse(text).ns == ns
    assert str(Duration.parse(text)) == back


@pytest.mark.parametrize("text", ["", "5", "s", "-5s", "5 s", "5sec", "1e3s", "5s later", "٣s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"^"):
        Duration.parse(text)


def test_a_command_about_all_sites_may_run_where_no_node_stands(tmp_path: Path) -> None:
    """Finance has one configuration with every site in it."""
    path = tmp_path / "config.toml"
    path.write_text('[site.par1]\nzone = "FR"\n[site.ash1]\nzone = "SRVC"\n', encoding="utf-8")
    with pytest.raises(UsageError, match="There are 2 sites"):
        load(path, environ={})
    assert set(load(path, environ={}, fleet=True).site) == {"par1", "ash1"}

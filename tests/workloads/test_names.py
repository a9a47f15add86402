"""From identities to workloads with labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.workloads.world import Node
from tracker.core.model import SYSTEM, UNATTRIBUTED, Finding, Kind, Level, Workload
from tracker.core.rules import parse_rules
from tracker.workloads.interface import Identity, Resolver
from tracker.workloads.names import Names, Users, parse_passwd
from tracker.workloads.observer import CgroupObserver, Options
from tracker.workloads.paths import identify

ID = "a1b2c3d4e5f6" + "0" * 52
UID = "b1d0c5e4-5c5c-4a6f-9d0e-1f2a3b4c5d6e"
POD = identify(f"/kubepods/pod{UID}")


class Cluster(Resolver):
    """Knows pods by uid."""

    name = "cluster"

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.asked = 0

    def resolve(self, identity: Identity, workload: Workload) -> Workload | None:
        self.asked += 1
        name = self.names.get(identity.pod_uid)
        return None if name is None else replace(workload, name=name, pod=name, namespace="ml")

    def check(self) -> tuple[Finding, ...]:
        return (Finding(Level.OK, "cluster", "reached"),)


class Broken(Resolver):
    name = "broken"

    def resolve(self, identity: Identity, workload: Workload) -> Workload | None:
        raise RuntimeError("connection refused")

    def check(self) -> tuple[Finding, ...]:
        return ()


def names(
    *resolvers: Resolver,
    units: tuple[str, ...] = (),
    passwd: Path = Path("/nonexistent"),
    rules: tuple[dict[str, object], ...] = (),
) -> Names:
    made = Names(resolvers, units, Users(passwd), parse_rules(rules))
    made.begin_tick()
    return made


@pytest.mark.parametrize(
    ("path", "workload"),
    [
        (f"/kubepods/pod{UID}/{ID}", Workload(f"pod/{UID}", Kind.POD, UID)),
        (f"/docker/{ID}", Workload(f"container/{ID}", Kind.CONTAINER, "a1b2c3d4e5f6", container="a1b2c3d4e5f6")),
        ("/slurm/uid_1000/job_7", Workload("slurm/7", Kind.SLURM, "7", job="7", user="alice")),
        ("/system.slice/slurmstepd.scope/job_7", Workload("slurm/7", Kind.SLURM, "7", job="7")),
        ("/oar/bob_42", Workload("oar/42", Kind.SLURM, "42", job="42", user="bob")),
        ("/oar.slice/oar-u1000.slice/oar-u1000-j42", Workload("oar/42", Kind.SLURM, "42", job="42", user="alice")),
        (
            r"/machine.slice/machine-qemu\x2d3\x2dweb.scope",
            Workload("container/web", Kind.CONTAINER, "web", container="web"),
        ),
        (r"/system.slice/a\x2db.service", Workload(r"unit/a\x2db.service", Kind.UNIT, "a-b.service")),
        ("/user.slice/user-1000.slice/session-1.scope", Workload("user/1000", Kind.USER, "alice", user="alice")),
        ("/user.slice/user-4711.slice", Workload("user/4711", Kind.USER, "4711", user="4711")),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/run-r1.scope",
            Workload("unit/user@1000/run-r1.scope", Kind.UNIT, "run-r1.scope", user="alice"),
        ),
        ("/system.slice", SYSTEM),
        ("/../..", UNATTRIBUTED),
    ],
)
def test_what_can_be_said_without_a_resolver(tmp_path: Path, path: str, workload: Workload) -> None:
    (tmp_path / "passwd").write_text("root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n")
    assert names(passwd=tmp_path / "passwd").workload(identify(path)) == workload


def test_the_same_object_while_no_label_changes() -> None:
    """It is a key of hot dictionaries, and a label set is a row of the ledger."""
    cluster = Cluster()
    cluster.names[UID] = "trainer-0"
    made = names(cluster)
    first = made.workload(POD)
    assert (first.name, first.pod, first.namespace) == ("trainer-0", "trainer-0", "ml")
    made.begin_tick()
    assert made.workload(POD) is first
    cluster.names[UID] = "trainer-1"
    assert made.workload(POD) is first, "asked once per tick"
    made.begin_tick()
    renamed = made.workload(POD)
    assert renamed.name == "trainer-1"
    cluster.names[UID] = "trainer\n1"
    made.begin_tick()
    dirty = made.workload(POD)
    cluster.names[UID] = "trainer\r1"
    made.begin_tick()
    assert made.workload(POD) is dirty, "nothing that anybody can see has changed"


def test_a_name_once_known_stays() -> None:
    """A deleted pod's last energy arrives after the cluster has forgotten it."""
    cluster = Cluster()
    made = names(cluster)
    assert made.workload(POD).name == UID
    cluster.names[UID] = "trainer-0"
    made.begin_tick()
    named = made.workload(POD)
    del cluster.names[UID]
    made.begin_tick()
    assert made.workload(POD) is named


def test_the_first_resolver_that_knows_wins() -> None:
    one, two = Cluster(), Cluster()
    one.names[UID], two.names[UID] = "one", "two"
    assert names(Cluster(), one, two).workload(POD).name == "one"
    assert two.asked == 0


def test_a_resolver_that_raises_stops_nobody_and_is_reported(tmp_path: Path) -> None:
    cluster = Cluster()
    cluster.names[UID] = "trainer-0"
    assert names(Broken(), cluster).workload(POD).name == "trainer-0"
    node = Node(tmp_path)
    node.hold(node.make(f"/kubepods/pod{UID}"), 5)
    with node.observer(resolvers=(Broken(), cluster)) as observer:
        shares = node.tick(observer).dram
        findings = observer.check()
    assert "trainer-0" in {share.workload.name for share in shares}
    assert any("connection refused" in finding.message for finding in findings)
    assert Finding(Level.OK, "cluster", "reached") in findings


def test_what_a_resolver_says_is_cleaned_and_keeps_the_key() -> None:
    """A pod label with a newline or 10 kB is harmless; a resolver cannot move energy to another key."""

    class Rude(Cluster):
        def resolve(self, identity: Identity, workload: Workload) -> Workload | None:
            return replace(workload, key="pod/another", name="a\nb" + "x" * 10_000, team="\udcff")

    workload = names(Rude()).workload(POD)
    assert workload.key == f"pod/{UID}"
    assert workload.name == "a\ufffdb" + "x" * 125
    assert workload.team == "\ufffd"


def test_which_units_are_workloads() -> None:
    made = names(units=("web.service", "ml-*.service"))
    listed = {
        unit: made.is_workload(identify(f"/system.slice/{unit}"))
        for unit in ("web.service", "ml-1.service", "ssh.service", "run-r1.scope")
    }
    assert listed == {"web.service": True, "ml-1.service": True, "ssh.service": False, "run-r1.scope": False}
    assert made.is_workload(identify("/user.slice/user-1.slice/run-r1.scope"))
    assert not made.is_workload(identify("/system.slice"))
    ssh = identify("/system.slice/ssh.service")
    assert [made.promote(ssh), made.promote(ssh), made.promote(POD)] == [True, False, False]
    assert made.is_workload(ssh)


def test_users_are_looked_up_again_when_the_file_changes(tmp_path: Path) -> None:
    passwd = tmp_path / "passwd"
    users = Users(passwd)
    assert users.name("7") == "7"
    passwd.write_text("alice:x:1:1::/:/bin/sh\n")
    assert users.name("7") == "7"
    passwd.write_text("alice:x:1:1::/:/bin/sh\nbob:x:7:7::/:/bin/sh\n")
    assert (users.name("7"), users.name("1")) == ("bob", "alice")


def test_passwd_lines() -> None:
    text = "root:x:0:0:root:/root:/bin/bash\n# comment\n\n+::::::\nalice:x:1000:1000\ntwin:x:1000:1000:::\nbroken\n"
    assert parse_passwd(text) == {"0": "root", "": "+", "1000": "alice"}


def test_labels_reach_every_share(tmp_path: Path) -> None:
    cluster = Cluster()
    cluster.names[UID] = "trainer-0"
    node = Node(tmp_path)
    pod = node.make(f"/kubepods/pod{UID}")
    node.process(5, f"{pod}/{ID}")
    observer = CgroupObserver(node.roots, Options(), [cluster])
    node.tick(observer)
    node.burn(pod, 5)
    node.hold(pod, 5)
    seen = node.tick(observer, 5)
    observer.close()
    cpu, dram, gpu = seen.cpu[0].workload, seen.dram[0].workload, seen.gpu["GPU-0"].holders[0].workload
    assert cpu is dram
    assert cpu is gpu
    assert cpu.name == "trainer-0"

"""Users, folders and the right to read sensors: what sysusers, tmpfiles and udev make of our files."""

from __future__ import annotations

import re
import stat
import subprocess
from pathlib import Path

import pytest

from tests.deploy.installing import DEPLOY

SYSTEMD = DEPLOY / "systemd"
pytestmark = pytest.mark.needs("systemd", "root")

ZONES = ("intel-rapl/intel-rapl:0", "intel-rapl/intel-rapl:0/intel-rapl:0:0", "intel-rapl-mmio/intel-rapl-mmio:0")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine's root with our users and with RAPL zones as the kernel makes them: 0400 and root's."""
    for zone in ZONES:
        folder = tmp_path / "sys/devices/virtual/powercap" / zone
        folder.mkdir(parents=True)
        for name in ("energy_uj", "constraint_0_power_limit_uw"):
            (folder / name).write_text("4711\n")
            (folder / name).chmod(0o400)
    (tmp_path / "etc").mkdir()
    apply(tmp_path, "systemd-sysusers", SYSTEMD / "wattledger.sysusers.conf")
    return tmp_path


def apply(root: Path, program: str, *arguments: str | Path) -> None:
    command = [program, f"--root={root}", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def group_of(root: Path) -> int:
    """The number that systemd-sysusers gave the group."""
    rows = [row.split(":") for row in (root / "etc/group").read_text().splitlines()]
    return next(int(row[2]) for row in rows if row[0] == "wattledger")


def rights(root: Path) -> dict[str, tuple[int, int, int]]:
    """Mode, uid and gid of every file of the zones, by whether it is the counter."""
    found = {}
    for path in (root / "sys").rglob("*_u?"):
        status = path.stat()
        found[str(path.relative_to(root / "sys/devices/virtual/powercap"))] = (
            stat.S_IMODE(status.st_mode),
            status.st_uid,
            status.st_gid,
        )
    return found


def expected(group: int) -> dict[str, tuple[int, int, int]]:
    """The counters can be read by the group, and nothing else has changed."""
    counters = {f"{zone}/energy_uj": (0o440, 0, group) for zone in ZONES}
    return counters | {f"{zone}/constraint_0_power_limit_uw": (0o400, 0, 0) for zone in ZONES}


def test_users_have_no_shell_and_no_password(root: Path) -> None:
    rows = [row.split(":") for row in (root / "etc/passwd").read_text().splitlines()]
    shells = {row[0]: row[6] for row in rows if row[0].startswith("wattledger")}
    assert shells == dict.fromkeys(["wattledger", "wattledger-portal"], "/usr/sbin/nologin")
    locked = [
        row.split(":")[:2] for row in (root / "etc/shadow").read_text().splitlines() if row.startswith("wattledger")
    ]
    assert all(word.startswith("!") for _, word in locked)


def test_hosts_that_share_a_folder_of_books_can_have_the_same_user(tmp_path: Path) -> None:
    """By the line of the drop-in, before the installation: a host's next free number is another on each, and then none
    may read the other's folders."""
    text = (SYSTEMD / "drop-ins/books-folder.conf").read_text()
    (rule,) = re.findall(r"^#   echo '(u wattledger .*)' \| systemd-sysusers -$", text, re.MULTILINE)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("other:x:999:999::/:/bin/sh\n")
    (tmp_path / "etc/group").write_text("other:x:999:\n")
    (tmp_path / "first.conf").write_text(f"{rule}\n")
    apply(tmp_path, "systemd-sysusers", tmp_path / "first.conf")
    apply(tmp_path, "systemd-sysusers", SYSTEMD / "wattledger.sysusers.conf")
    rows = [row.split(":") for row in (tmp_path / "etc/passwd").read_text().splitlines()]
    assert [row[2:4] for row in rows if row[0] == "wattledger"] == [["700", "700"]]
    assert {row[0] for row in rows} == {"other", "wattledger", "wattledger-portal"}


def test_tmpfiles_opens_the_counters_to_the_group_and_nothing_else(root: Path) -> None:
    apply(root, "systemd-tmpfiles", "--create", SYSTEMD / "wattledger.tmpfiles.conf")
    assert rights(root) == expected(group_of(root))


def test_udev_opens_zones_that_come_later(root: Path) -> None:
    """The commands that the rule names, as udev would run them (udev(7): %p is the path below /sys)."""
    rule = (SYSTEMD / "60-wattledger-rapl.rules").read_text().splitlines()[-1]
    assert rule.startswith('ACTION!="remove", SUBSYSTEM=="powercap", TEST=="energy_uj", RUN+=')
    commands = re.findall(r'RUN\+="([^"]*)"', rule)
    for zone in ZONES:
        for command in commands:
            program, what, path = command.replace("%p", f"/devices/virtual/powercap/{zone}").split()
            what = str(group_of(root)) if what == "wattledger" else what
            subprocess.run([program, what, f"{root}{path}"], check=True, timeout=10)
    assert rights(root) == expected(group_of(root))


def test_slurm_job_files_stay_roots_beside_the_socket(root: Path) -> None:
    """The daemon may add its socket to the folder and can neither replace nor change what the prolog writes."""
    apply(root, "systemd-tmpfiles", "--create", SYSTEMD / "wattledger.tmpfiles.conf")
    folder, jobs = (root / "run/wattledger").stat(), (root / "run/wattledger/jobs").stat()
    assert (stat.S_IMODE(folder.st_mode), folder.st_uid, folder.st_gid) == (0o1775, 0, group_of(root))
    assert (stat.S_IMODE(jobs.st_mode), jobs.st_uid, jobs.st_gid) == (0o755, 0, 0)

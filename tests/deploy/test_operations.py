"""What the guides say can be done as they say it."""

from __future__ import annotations

import os
import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.deploy import helm
from tests.deploy.checkout import PYTHON
from tests.deploy.installing import DEPLOY
from tests.e2e.daemon import COMMAND, Daemon, total, until
from tests.e2e.test_ship import Node as LedgerNode

#: Of each folder; the others speak of files and settings only.
COMMANDS = [DEPLOY / "README.md", *(DEPLOY / name / "README.md" for name in ("slurm", "helm", "container", "compose"))]
GUIDES = [*COMMANDS, *(DEPLOY / name / "README.md" for name in ("systemd", "prometheus")), DEPLOY.parent / "README.md"]
TOTAL = "SELECT sum(energy_uj) FROM entry"
ENERGY = "wattledger_device_energy_joules_total"


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.parent.name)
def test_every_link_leads_somewhere(guide: Path) -> None:
    text = guide.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#:\s]+)\)", text)
    assert [target for target in targets if not (guide.parent / target).exists()] == []
    headings = {
        re.sub(r"[^\w -]", "", line[3:].lower()).replace(" ", "-") for line in text.splitlines() if line[:3] == "## "
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings


@pytest.mark.parametrize("guide", COMMANDS, ids=lambda path: path.parent.name)
def test_every_command_is_one(guide: Path) -> None:
    text = guide.read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"```\w*\n(.*?)```", text, re.DOTALL) + re.findall(r"`([^`\n]+)`", text))
    named = {
        found.strip()
        for found in re.findall(
            r"(?:^|[$&] |wattledger |exec \w+ |-- )wattledger ((?:grid )?[a-z]+)", blocks, re.MULTILINE
        )
    }
    assert named
    for command in sorted(named):
        done = subprocess.run([COMMAND, *command.split(), "--help"], capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, command


def test_every_drop_in_is_explained() -> None:
    text = (DEPLOY / "systemd" / "README.md").read_text(encoding="utf-8")
    files = {path.name for path in (DEPLOY / "systemd" / "drop-ins").iterdir()}
    assert files == {
        name for name in re.findall(r"`([\w-]+\.conf)`", text) if (DEPLOY / "systemd" / "drop-ins" / name).exists()
    }


def steps(heading: str, *, after: str = "") -> list[str]:
    """The commands of a section's first block after some words."""
    section = (DEPLOY / "README.md").read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rest = section.partition(after)[2] if after else section
    block = rest.partition("```console\n")[2].partition("```")[0]
    return [line[2:] for line in block.splitlines() if line.startswith("$ ")]


def moved(step: str, places: Mapping[str, str]) -> str:
    """A command of the guide with places of this machine; each is named in it somewhere."""
    for name, place in places.items():
        step = step.replace(name, place)
    return step


@pytest.fixture
def ledger() -> Iterator[Path]:
    """Of six hours, in a state folder of user nobody, in place of user wattledger. Not below pytest's own folder, which
    nobody else may enter."""
    with TemporaryDirectory(prefix="wl-") as folder:
        node = LedgerNode(Path(folder))
        node.run(6)
        for path in (node.state_dir, *node.state_dir.iterdir()):
            os.chown(path, 65534, 65534)
        node.state_dir.chmod(0o700)
        Path(folder).chmod(0o755)
        yield node.ledger


@pytest.mark.needs("root", "unshare", "system-python")  # setpriv comes with unshare
def test_a_backup_is_made_by_the_daemons_user(ledger: Path) -> None:
    """Line by line: /var/backups is root's, and the user may not write into it."""
    backups = ledger.parents[1] / "backups"
    backups.mkdir(mode=0o755)
    places = {
        "sudo -u wattledger ": "setpriv --reuid=65534 --regid=65534 --clear-groups ",
        "sudo ": "",
        "-o wattledger -g wattledger": "-o 65534 -g 65534",
        "/opt/wattledger/bin/python": PYTHON,
        "/var/lib/wattledger": str(ledger.parent),
        "/var/backups": str(backups),
    }
    for step in steps("Backup"):
        done = subprocess.run(
            ["sh", "-c", moved(step, places)], capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), step
    copy = backups / "wattledger/ledger.db"
    assert (copy.stat().st_uid, copy.parent.stat().st_mode & 0o777) == (65534, 0o700)
    assert content(copy) == content(ledger)


def content(ledger: Path) -> tuple[str, int]:
    """What SQLite says of the file, and its energy."""
    with closing(sqlite3.connect(ledger)) as db:
        (said,), (energy_uj,) = db.execute("PRAGMA integrity_check").fetchone(), db.execute(TOTAL).fetchone()
    return str(said), int(energy_uj)


def test_on_kubernetes_a_copy_is_made_and_put_back(tmp_path: Path) -> None:
    """What the pod and then the node run, in the folder that both have."""
    node = LedgerNode(tmp_path)
    node.run(6)
    before = content(node.ledger)
    backup = shlex.split(steps("Backup", after="On Kubernetes")[0])
    inside = [word.replace("/var/lib/wattledger", str(node.state_dir)) for word in backup[backup.index("--") + 1 :]]
    assert inside[0] == "python3"
    subprocess.run([sys.executable, *inside[1:]], check=True, timeout=60)
    node.run(3)
    (swap,) = (step for step in steps("Upgrade and rollback", after="On Kubernetes") if "mv" in step)
    swap = swap.replace("/var/lib/wattledger", str(node.state_dir))
    subprocess.run(["sh", "-c", swap.removeprefix("sudo ")], check=True, timeout=60)
    assert (content(node.ledger), before[0]) == (before, "ok")
    assert content(node.state_dir / "newer/ledger.db")[1] > before[1]


def test_on_kubernetes_daemons_end_for_the_time_of_a_rollback() -> None:
    """Two of them on one ledger, or one on a file that is swapped, would be worse than a gap."""
    (pause,) = (step for step in steps("Upgrade and rollback", after="On Kubernetes") if "--set-string" in step)
    name, _, value = shlex.split(pause)[-1].partition("=")
    *path, key = name.split(".")
    values: dict[str, Any] = {key: value}
    for part in reversed(path):
        values = {part: values}
    assert helm.daemon(values).spec["nodeSelector"] == {"kubernetes.io/os": "linux", key: value}


@pytest.mark.timeout(120)
def test_a_backup_of_a_ledger_in_use_is_a_ledger(tmp_path: Path) -> None:
    """By the very line of the guide: verify finds nothing, and a daemon goes on from it."""
    line = next(row for row in (DEPLOY / "README.md").read_text().splitlines() if ".backup(" in row)
    words = shlex.split(line)
    begin = words.index("/opt/wattledger/bin/python")
    copy = tmp_path / "restored" / "demo" / "ledger.db"
    copy.parent.mkdir(parents=True)
    config = tmp_path / "config.toml"
    config.write_text('[sampling]\ntick = "1s"\ncommit = "1s"\n')
    with Daemon(tmp_path / "state", "--demo", "--config", str(config)) as daemon:
        until(lambda: total(daemon.series(), ENERGY) > 10_000, "energy was booked")
        source = tmp_path / "state" / "demo" / "ledger.db"
        command = [sys.executable, *words[begin + 1 : begin + 3], str(source), str(copy)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        assert daemon.stop() == 0
    verify = [COMMAND, "verify", "--state-dir", str(copy.parent)]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    with Daemon(tmp_path / "restored", "--demo", "--config", str(config)) as daemon:
        daemon.wait_ready()
        assert total(daemon.series(), ENERGY) > 5_000
        assert daemon.stop() == 0

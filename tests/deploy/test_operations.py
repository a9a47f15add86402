"""What the guides say can be done as they say it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.installing import DEPLOY
from tests.e2e.daemon import COMMAND, Daemon, total, until

#: Of each folder; the others speak of files and settings only.
COMMANDS = [DEPLOY / "README.md", *(DEPLOY / name / "README.md" for name in ("slurm", "helm", "container", "compose"))]
GUIDES = [*COMMANDS, *(DEPLOY / name / "README.md" for name in ("systemd", "prometheus")), DEPLOY.parent / "README.md"]
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

"""The grid commands as somebody runs them on one node: its folder, its configuration, and a service it may ask."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.gridserver import Asked
from tracker.cli.main import main
from tracker.core.factors import Basis, FactorRow, FactorType, Origin, Scheme
from tracker.core.forecast import Expected, Forecast
from tracker.grid.answers import iso
from tracker.grid.store import STORE_FILE, FactorStore

HOUR = 3600


def at(text: str) -> int:
    """UTC seconds of an ISO time with its offset."""
    return int(datetime.fromisoformat(text).timestamp())


class Node:
    """``grid(...)`` runs ``wattledger grid ...`` for the node in ``folder`` and gives its exit code and what it
    printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self.capsys = capsys
        self.state_dir = folder / "state"
        self.config = folder / "config.toml"
        self.configure("")

    def configure(self, text: str) -> None:
        self.config.write_text(text, "utf-8")

    def arguments(self, *arguments: str) -> tuple[str, ...]:
        return ("grid", *arguments, "--config", str(self.config), "--state-dir", str(self.state_dir))

    def __call__(self, *arguments: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as end:
            main([*self.arguments(*arguments)])
        printed = self.capsys.readouterr()
        return end.value.code, printed.out, printed.err

    def json(self, *arguments: str) -> Any:
        code, out, err = self(*arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out, parse_float=Decimal)

    def store(self) -> FactorStore:
        return FactorStore(self.state_dir / STORE_FILE)

    def learns(self, recorded_at: str, *rows: FactorRow) -> None:
        with self.store() as store:
            store.append(rows, at(recorded_at))

    def terminal(self, columns: int, *arguments: str) -> str:
        """What a person sees on a terminal of that width."""
        return on_a_terminal(columns, *self.arguments(*arguments))


def on_a_terminal(columns: int, *arguments: str) -> str:
    """What a person sees of ``wattledger ...``, with colours and carriage returns taken out."""
    controller, terminal = pty.openpty()
    command = [sys.executable, "-c", "from tracker.cli.main import main; main()", *arguments]
    environment = os.environ | {"COLUMNS": str(columns), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(command, stdout=terminal, stderr=terminal, env=environment) as process:
        os.close(terminal)
        seen = b""
        while True:
            try:
                piece = os.read(controller, 65_536)
            except OSError:  # EIO: the other end is closed
                break
            if not piece:
                break
            seen += piece
    os.close(controller)
    assert process.returncode == 0, seen
    return seen.decode().replace("\r\n", "\n").replace("\x1b[1m", "").replace("\x1b[0m", "")


_HOURLY = FactorRow(
    factor_id="",
    zone="FR",
    zone_printed="FR",
    zone_system="iso",
    value_printed="21.5",
    unit_printed="g/kWh",
    gases="CO2",
    factor_type=FactorType.DIRECT,
    basis=Basis.PRODUCTION,
    scheme=Scheme.AVERAGE,
    quality_tier=1,
    valid_from_s=0,
    valid_to_s=0,
    edition="national consolidated",
    data_year="2026",
    publisher="RTE",
    source_ref="RTE eco2mix national",
    licence="Licence Ouverte 2.0",
    confidence="V",
    publisher_url="https://odre.opendatasoft.com",
    origin=Origin(provider="rte", endpoint="https://odre.example/records", is_estimated=False),
)


def hour(start: str, value: str, *, tier: int = 1, zone: str = "FR", provider: str = "rte") -> FactorRow:
    """The value of an hour, as a service gives it."""
    start_s = at(start)
    return replace(
        _HOURLY,
        factor_id=f"{provider}:{zone}:direct:{iso(start_s)}",
        zone=zone,
        zone_printed=zone,
        value_printed=value,
        quality_tier=tier,
        valid_from_s=start_s,
        valid_to_s=start_s + HOUR,
        origin=replace(_HOURLY.origin, provider=provider, is_estimated=tier == 2),
    )


def forecast(start_s: int, *values: str | None, scheme: Scheme = Scheme.AVERAGE, provider: str = "rte") -> Forecast:
    """Of hours from ``start_s`` on; None is a hole."""
    points = tuple(
        Expected(start_s + n * HOUR, start_s + (n + 1) * HOUR, Decimal(value))
        for n, value in enumerate(values)
        if value is not None
    )
    return Forecast("FR", provider, scheme, FactorType.DIRECT, "CO2", start_s - HOUR, points, "Licence Ouverte 2.0")


def energy_charts(known: Callable[[int], float | None], until_s: int, step_s: int = HOUR) -> Callable[[Asked], bytes]:
    """Plays api.energy-charts.info: a value of each hour from ``start`` to ``end``, known up to ``until_s``, expected
    from then on."""

    def answer(asked: Asked) -> bytes:
        times = list(range(at(asked.query["start"]), at(asked.query["end"]) + 1, step_s))
        values = [(time_s, known(time_s)) for time_s in times]
        document = {
            "unix_seconds": times,
            "co2eq": [value if time_s < until_s else None for time_s, value in values],
            "co2eq_forecast": [None if time_s < until_s else value for time_s, value in values],
            "substitute": False,
            "deprecated": False,
        }
        return json.dumps(document).encode()

    return answer

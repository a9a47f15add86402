"""Every service that knows grid factors, one line each, and nothing else: a new one is a file of its own and a line
here. Apart from ``registry.py``, because a daemon that goes by the tables has no use for them (1.4 MB)."""

from __future__ import annotations

from tracker.grid import eia, electricitymaps, energycharts, entsoe, file, neso, profile, rte, watttime
from tracker.grid.interface import LiveProvider

#: By the name in ``[grid] provider`` and ``chain``, with the type of its section ``[grid.<name>]``. The tables that
#: ship are no service: they stand behind every chain.
LIVE: dict[str, tuple[type[LiveProvider], type]] = {
    electricitymaps.ElectricityMapsProvider.name: (electricitymaps.ElectricityMapsProvider, electricitymaps.Options),
    watttime.WattTimeProvider.name: (watttime.WattTimeProvider, watttime.Options),
    neso.Neso.name: (neso.Neso, neso.Options),
    rte.Rte.name: (rte.Rte, rte.Options),
    energycharts.EnergyCharts.name: (energycharts.EnergyCharts, energycharts.Options),
    entsoe.Entsoe.name: (entsoe.Entsoe, entsoe.Options),
    eia.Eia.name: (eia.Eia, eia.Options),
    file.FileProvider.name: (file.FileProvider, file.Options),
    profile.ProfileProvider.name: (profile.ProfileProvider, profile.Options),
}
LIVE_OPTIONS: dict[str, type] = {name: options for name, (_, options) in LIVE.items()}

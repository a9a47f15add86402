"""What codecarbon can be told, and by what: arguments, environment, files, in its order of precedence."""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from pathlib import Path

FILE = ".codecarbon.config"
SECTION = "codecarbon"
PREFIX = "codecarbon_"

#: The arguments of codecarbon's trackers in their order, so that positional ones mean the same here.
ARGUMENTS = (
    "project_name",
    "measure_power_secs",
    "api_call_interval",
    "api_endpoint",
    "api_key",
    "output_dir",
    "output_file",
    "output_methods",
    "save_to_file",
    "save_to_api",
    "save_to_logger",
    "logging_logger",
    "save_to_prometheus",
    "save_to_logfire",
    "prometheus_url",
    "output_handlers",
    "gpu_ids",
    "emissions_endpoint",
    "experiment_id",
    "experiment_name",
    "electricitymaps_api_token",
    "co2_signal_api_token",
    "tracking_mode",
    "log_level",
    "on_csv_write",
    "logger_preamble",
    "force_cpu_power",
    "force_ram_power",
    "pue",
    "wue",
    "force_carbon_intensity_g_co2e_kwh",
    "force_mode_cpu_load",
    "allow_multiple_runs",
    "rapl_include_dram",
    "rapl_prefer_psys",
    "metadata",
)
#: Of the offline tracker and the decorator; always by name.
OFFLINE = ("country_iso_code", "region", "cloud_provider", "cloud_region", "country_2letter_iso_code")
#: What has an effect here.
USED = frozenset(
    {
        "project_name",
        "output_dir",
        "output_file",
        "output_methods",
        "save_to_file",
        "output_handlers",
        "experiment_id",
        "experiment_name",
        "tracking_mode",
        "on_csv_write",
        "wue",
        *OFFLINE,
    }
)


class Settings:
    """The value of each setting: an argument, else the environment, else ``./.codecarbon.config``, else the one in the
    home folder, else a default. All but arguments are text."""

    def __init__(self, arguments: Mapping[str, object], environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        home = Path(environ.get("HOME") or "~").expanduser()
        self._values: dict[str, object] = {
            **read_file(home / FILE),
            **read_file(Path(FILE)),
            **read_environment(environ),
            **arguments,
        }

    def text(self, name: str, default: str = "") -> str:
        value = self._values.get(name)
        return default if value is None else str(value)

    def number(self, name: str) -> float | None:
        """None: not given, or no number."""
        try:
            return float(self.text(name))
        except ValueError:
            return None

    def flag(self, name: str, *, default: bool) -> bool:
        value = self._values.get(name)
        return default if value is None else str(value).lower() == "true"

    def items(self, name: str) -> tuple[object, ...]:
        """Of a list, or of a text with commas."""
        value = self._values.get(name)
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return tuple(value) if isinstance(value, list | tuple) else ()

    def given(self, name: str) -> bool:
        return self._values.get(name) is not None


def read_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """``CODECARBON_PROJECT_NAME=x`` sets project_name; upper and lower case alike."""
    return {name.lower()[len(PREFIX) :]: value for name, value in environ.items() if name.lower().startswith(PREFIX)}


def read_file(path: Path) -> dict[str, str]:
    """The section ``[codecarbon]``. Nothing where there is no such file, or it makes no sense."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, configparser.Error):
        return {}
    return dict(parser[SECTION]) if parser.has_section(SECTION) else {}

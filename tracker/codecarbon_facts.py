"""What codecarbon knows about this node: the TDP of its CPU and the carbon intensity of countries and regions.

Asked once at start in a short child process (``codecarbon_child.py``) with a deadline, and kept in a file: the daemon
never imports codecarbon. Whatever goes wrong gives facts without values and a note that says why; nothing is invented.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from tracker.codecarbon_child import package_folder, package_version
from tracker.core.carbon import AnnualIntensity
from tracker.core.factors import g_per_kwh
from tracker.core.printed import PrintedIntensity

CACHE_NAME = "codecarbon-facts.json"
#: Raised whenever the child's answer changes its meaning, so that an older cache is asked anew.
CACHE_FORMAT = 3


@dataclass(frozen=True, slots=True)
class CodecarbonFacts:
    """``countries``: by ISO 3166 alpha-3 code, ``WORLD``, and regions ("gcp:us-east4"), with their printed value.
    ``note`` and ``cpu_note`` say why something is absent."""

    version: str  # of codecarbon; "": unknown
    cpu_tdp_mw: int | None  # of one package
    countries: Mapping[str, AnnualIntensity] = field(default_factory=dict)
    cpu_note: str = ""
    note: str = ""

    @property
    def edition(self) -> str:
        """Names the data set in factor ids: "codecarbon-3.3.2"."""
        return f"codecarbon-{self.version or 'unknown'}"


class _Cpu(msgspec.Struct, frozen=True):
    tdp_mw: int | None
    reason: str


class _Table(msgspec.Struct, frozen=True):
    source: str
    factor_type: str
    values: dict[str, tuple[int, int]]


class _Region(msgspec.Struct, frozen=True):
    source: str
    factor_type: str
    unit: Literal["g/kWh"]
    year: int
    values: dict[str, Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,6}(\.[0-9]{1,9})?$")]]


class _Answer(msgspec.Struct, frozen=True):
    """What the child prints."""

    version: str
    cpu: _Cpu
    tables: list[_Table]
    regions: list[_Region]
    problem: str


class _Cache(msgspec.Struct, frozen=True):
    format: int
    codecarbon: str
    cpu_model: str
    answer: _Answer


def codecarbon_facts(
    cpu_model: str,
    cache_dir: Path,
    deadline_s: float = 20,
    command: Sequence[str] | None = None,
    *,
    keep: bool = True,
) -> CodecarbonFacts:
    """Ask the cache, else a child process that may take ``deadline_s``. Never raises, never uses the network.

    ``command``: the child without its last argument, the CPU model; tests put a broken one here. ``keep``: write the
    answer into the cache; without it nothing is written.
    """
    folder = package_folder()
    if folder is None:
        return _unknown("", "codecarbon is not installed; install wattledger with its dependencies")
    try:
        version = package_version(folder)
    except (OSError, ValueError) as error:
        return _unknown("", f"the installed codecarbon cannot be read: {error}")
    path = cache_dir / CACHE_NAME
    answer = _cached(path, version, cpu_model)
    if answer is None:
        try:
            answer = _parse(_ask(command or _child(), cpu_model, deadline_s))
        except (OSError, ValueError) as error:
            return _unknown(version, f"codecarbon {version} could not be asked: {error}")
        if keep and not answer.problem:
            _keep(path, _Cache(CACHE_FORMAT, version, cpu_model, answer))
    return _facts(answer)


def _unknown(version: str, note: str) -> CodecarbonFacts:
    return CodecarbonFacts(version, None, {}, note, note)


def _child() -> Sequence[str]:
    """``-P``: the folder the daemon was started in must not be imported from."""
    return (sys.executable, "-P", "-m", "tracker.codecarbon_child")


def _ask(command: Sequence[str], cpu_model: str, deadline_s: float) -> bytes:
    """Run the child: no input, no PATH (it has nothing to start), our own import path. Raises OSError, ValueError."""
    import subprocess  # noqa: PLC0415 - once per start at most, and not at all with a warm cache

    environment = {key: value for key, value in os.environ.items() if key in {"HOME", "LANG", "LD_LIBRARY_PATH"}}
    environment |= {"PATH": "", "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module, no shell
            [*command, cpu_model],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=deadline_s,
            check=True,
            env=environment,
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"no answer within {deadline_s:g} s") from error
    except subprocess.CalledProcessError as error:
        last = error.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2][:200]
        raise ValueError(last or f"its process ended with code {error.returncode}") from error
    return done.stdout


def _parse(text: bytes) -> _Answer:
    """Raises ValueError."""
    try:
        return msgspec.json.decode(text, type=_Answer)
    except msgspec.MsgspecError as error:
        raise ValueError(f"its answer cannot be understood ({error})") from error


def _cached(path: Path, version: str, cpu_model: str) -> _Answer | None:
    """The kept answer to the same question, or None: absent, damaged, older or another question."""
    try:
        cache = msgspec.json.decode(path.read_bytes(), type=_Cache)
    except (OSError, ValueError):  # msgspec's errors are ValueErrors
        return None
    same = (cache.format, cache.codecarbon, cache.cpu_model) == (CACHE_FORMAT, version, cpu_model)
    return cache.answer if same else None


def _keep(path: Path, cache: _Cache) -> None:
    """Replace the file in one step. Where that fails (read-only, full) the next start asks again."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(msgspec.json.encode(cache))
        draft.replace(path)
    except (OSError, ValueError):  # ValueError: a model name that is no text
        with contextlib.suppress(OSError):
            draft.unlink()


def _facts(answer: _Answer) -> CodecarbonFacts:
    countries = {
        code: AnnualIntensity(intensity_mg_per_kwh, year, table.factor_type, table.source)
        for table in answer.tables
        for code, (intensity_mg_per_kwh, year) in table.values.items()
    }
    countries |= {
        code: PrintedIntensity(
            intensity_mg_per_kwh=round(g_per_kwh(Decimal(value), region.unit) * 1000),
            year=region.year,
            factor_type=region.factor_type,
            source=region.source,
            value_printed=value,
            unit_printed=region.unit,
        )
        for region in answer.regions
        for code, value in region.values.items()
    }
    return CodecarbonFacts(answer.version, answer.cpu.tdp_mw, countries, answer.cpu.reason, answer.problem)

"""Copies what the chart ships from where it is made, because Helm reads nothing outside its chart.

python deploy/helm/sync.py            copy
python deploy/helm/sync.py --check    only say what differs; exit code 1 if anything does
"""
# ruff: noqa: INP001 - a script, no part of a package

from __future__ import annotations

import re
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
CHART = REPO / "deploy" / "helm" / "wattledger"


def wanted(repo: Path = REPO) -> dict[Path, bytes]:
    """Every copied file by its path in the chart. Examples are for reading, not for a cluster."""
    dashboards = {Path("files/dashboards", path.name): path for path in (repo / "dashboards").glob("*.json")}
    rules = {Path("files/rules", path.name): path for path in (repo / "dashboards" / "rules").glob("*.yml")}
    sources = {**dashboards, **{name: path for name, path in rules.items() if ".example." not in path.name}}
    files = {name: path.read_bytes() for name, path in sources.items()}
    files[Path("Chart.yaml")] = with_version((CHART / "Chart.yaml").read_text(encoding="utf-8"), version(repo)).encode()
    return files


def version(repo: Path) -> str:
    text = (repo / "tracker" / "__init__.py").read_text(encoding="utf-8")
    (number,) = re.findall(r'__version__ = "([^"]+)"', text)
    return str(number)


def with_version(text: str, number: str) -> str:
    """Chart.yaml with the chart's and the app's version: they are released together."""
    text = re.sub(r"(?m)^version: .*$", f"version: {number}", text)
    return re.sub(r"(?m)^appVersion: .*$", f'appVersion: "{number}"', text)


def differences(files: dict[Path, bytes], chart: Path = CHART) -> list[Path]:
    """Paths in the chart that are missing, differ, or should not be there."""
    there = {
        path.relative_to(chart) for folder in ("files/dashboards", "files/rules") for path in (chart / folder).glob("*")
    }
    differ = {name for name, content in files.items() if not _is(chart / name, content)}
    return sorted(differ | (there - set(files)))


def _is(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def main(arguments: list[str]) -> int:
    files = wanted()
    changed = differences(files)
    if "--check" in arguments:
        for name in changed:
            sys.stderr.write(f"{name} differs; run: python deploy/helm/sync.py\n")
        return 1 if changed else 0
    for name in changed:
        path = CHART / name
        if name not in files:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[name])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

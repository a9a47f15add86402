"""``python -m dashboards.build`` writes every dashboard; ``--check`` only says which differ, and then exits with 1."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from dashboards.build.page import Page, to_json

FOLDER = Path(__file__).resolve().parent.parent


def pages() -> list[Page]:
    """What the modules of this package with a function ``page()`` build."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))
    modules = [importlib.import_module(f"dashboards.build.{name}") for name in names]
    return [module.page() for module in modules if hasattr(module, "page")]


def texts() -> dict[Path, str]:
    """Where each dashboard lies, and what is in it."""
    return {FOLDER / f"{page.uid}.json": to_json(page) for page in pages()}


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python -m dashboards.build [--check]\n")
        return 2
    built = texts()
    unknown = sorted(set(FOLDER.glob("*.json")) - set(built))
    stale = [path for path, text in built.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if arguments == ["--check"]:
        for path in [*stale, *unknown]:
            sys.stderr.write(f"{path.name} is not what the code builds: run python -m dashboards.build\n")
        return 1 if stale or unknown else 0
    for path in stale:
        path.write_text(built[path], encoding="utf-8")
        sys.stdout.write(f"wrote {path.name}\n")
    for path in unknown:
        sys.stderr.write(f"{path.name} is built by no code\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

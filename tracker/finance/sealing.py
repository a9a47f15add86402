"""Sealing what was claimed: formats, the settings that they depend on, and what an earlier version leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from tracker import registry
from tracker.books import closing as books
from tracker.books.interface import BookStore
from tracker.books.versions import postings
from tracker.config import Config
from tracker.config.books import Books
from tracker.config.schema import Accounting, Grid, Site
from tracker.core.closing import Claim, Manifest
from tracker.core.errors import UsageError
from tracker.core.restating import Posting, reversal
from tracker.exports.interface import Options

#: Sections of the configuration that a statement depends on.
_SECTIONS: dict[str, Any] = {"accounting": Accounting, "books": Books, "grid": Grid, "site": dict[str, Site]}


def finish(config: Config, store: BookStore, claim: Claim, tell: Callable[[str], object] = lambda _: None) -> Manifest:
    """Write everything that follows from a claim; also what a killed closer left undone. Raises BooksDamaged."""
    _take_back(store, claim)
    return books.seal(store, claim, renderers(with_options(config, claim)), tell)


def _take_back(store: BookStore, claim: Claim) -> None:
    """What was posted for earlier versions is in this one: it is reversed in the open month."""
    by_version: dict[int, list[Posting]] = {}
    for each in postings(store).values():
        if each.month == claim.month and each.version < claim.version:
            by_version.setdefault(each.version, []).append(each)
    for version, posted in sorted(by_version.items()):
        corrections = reversal(posted)
        if not corrections:
            continue
        last = max(posted, key=lambda each: each.number)
        books.post(
            store,
            replace(
                last,
                number=last.number + 1,
                into=books.open_month(store, claim.month),
                by=claim.approver,
                posted_at_s=claim.closed_at_s,
                as_of_s=claim.as_of_s,
                corrections=corrections,
                note=f"v{version} is replaced by v{claim.version}, which has it in its rows.",
                reverses=True,
            ),
        )


def renderers(config: Config) -> list[books.Renderer]:
    """Every format, as it is sealed."""
    options = Options(csv_bom=config.books.csv_bom)
    made = [kind(options) for kind in registry.EXPORTS.values()]
    return [books.Renderer(each.name, each.extension, each.media_type, each.render) for each in made]


def options_of(config: Config) -> tuple[tuple[str, str], ...]:
    """The settings that a statement depends on, by section, as JSON, and the text of the contracts. Addresses and
    secrets are not among them. Raises UsageError for contracts that cannot be read."""
    contracts = config.accounting.instruments_file
    sections = {
        "accounting": msgspec.structs.replace(config.accounting, instruments_file=Path(contracts).name),
        "books": msgspec.structs.replace(config.books, url="", cache=None),
        "grid": msgspec.structs.replace(config.grid, token="", token_file="", ca_file="", providers={}),
        "site": config.site,
    }
    told = [(name, msgspec.json.encode(section, order="sorted").decode()) for name, section in sections.items()]
    return (*told, *((("instruments", _text(contracts)),) if contracts else ()))


def with_options(config: Config, claim: Claim, folder: Path | None = None) -> Config:
    """The configuration of whoever closed it, as far as a statement depends on it. ``folder``: where its contracts are
    put, if they are to be read again."""
    said = dict(claim.options)
    found = {name: msgspec.json.decode(said[name], type=kind) for name, kind in _SECTIONS.items() if name in said}
    then = msgspec.structs.replace(config, **found)
    if "instruments" not in said or folder is None:
        return then
    path = folder / (then.accounting.instruments_file or "instruments")
    path.write_text(said["instruments"], "utf-8")
    accounting = msgspec.structs.replace(then.accounting, instruments_file=str(path))
    return msgspec.structs.replace(then, accounting=accounting)


def _text(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The contracts at {path} cannot be read.", "Check accounting.instruments_file.") from error

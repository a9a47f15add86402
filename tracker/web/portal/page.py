"""The page of the months, and the page that says why there is none.

It works without scripts and loads nothing: the style stands in it and is named by hash in the content policy. Text from
outside is escaped by the templates and, as on the node page, cannot turn the direction of what is around it.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tracker import __version__
from tracker.core.errors import WattledgerError
from tracker.core.statement import Status
from tracker.web.node.markup import text
from tracker.web.portal import chart, words
from tracker.web.portal.interface import Busy, Edition, Format, Month, Overview, Unavailable

_TEMPLATES = Path(__file__).resolve().parent / "templates"
_STYLE = "\n".join(
    path.read_text(encoding="utf-8")
    for path in (_TEMPLATES.parent.parent / "static" / "node.css", _TEMPLATES / "portal.css")
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
#: The page may show what it carries and lead to this server's files; it runs nothing, and stands in nobody's frame.
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
}
_RELOAD_S = 3  # while figures are being put together
_LABELS = {"csv": "CSV", "xlsx": "Excel", "json": "JSON", "parquet": "Parquet", "focus": "FOCUS"}
_LABELS |= {"codecarbon": "CodeCarbon", "html": "View"}


def render(overview: Overview, formats: Sequence[Format]) -> bytes:
    """The page as UTF-8."""
    newest_closed = next((month for month in overview.months if month.status is Status.CLOSED), None)
    return _rendered(
        "months.html",
        title=f"Statements · {overview.entity or 'wattledger'}",
        reload_s=_RELOAD_S if overview.pending else None,
        overview=overview,
        chart=chart.draw(overview.months),
        closed=newest_closed,
        rows=[_row(month, formats) for month in overview.months],
        example=f"/api/v1/statements/{overview.months[0].month}?format=csv" if overview.months else "",
        formats=formats,
    )


def render_trouble(error: WattledgerError) -> bytes:
    """The page where there is nothing to show: the sentence, and what helps."""
    passing = isinstance(error, Busy | Unavailable)
    reload_s = error.retry_after_s if isinstance(error, Busy) else 30 if passing else None
    return _rendered("trouble.html", title="Statements · wattledger", reload_s=reload_s, error=error, passing=passing)


def _row(month: Month, formats: Sequence[Format]) -> dict[str, Any]:
    """A line of the table. The first group of files is what counts now; the others are earlier versions."""
    base = f"/api/v1/statements/{month.month}"
    groups = [_group(base, edition, formats) for edition in month.editions]
    if not groups and month.status is not Status.CLOSED:
        links = [_link(base, form, "draft") for form in formats]
        groups = [{"name": "draft", "who": "", "links": links}]
    return {"month": month, "current": groups[0] if groups else None, "earlier": groups[1:]}


def _group(base: str, edition: Edition, formats: Sequence[Format]) -> dict[str, Any]:
    links = [_link(base, form, str(edition.number)) for form in formats if form.name in edition.formats]
    who = f"closed {words.day(edition.closed_at_s)} by {edition.approver}"
    if edition.preparer and edition.preparer != edition.approver:
        who += f", prepared by {edition.preparer}"
    return {"name": f"version {edition.number}", "who": who, "links": links}


def _link(base: str, form: Format, version: str) -> dict[str, Any]:
    href = f"{base}?format={form.name}&version={version}"
    return {"href": href, "label": _LABELS.get(form.name, form.name), "name": form.name, "viewable": form.viewable}


def _rendered(template: str, **values: Any) -> bytes:
    page = _environment().get_template(template).render(style=_style(), version=__version__, words=words, **values)
    return str(page).encode("utf-8", "replace")


@functools.cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - the daemon serves no portal
    from markupsafe import Markup  # noqa: PLC0415 - as above

    def plain(value: Any) -> Any:
        """Every text as the node page shows it: escaped, with control characters made visible."""
        return Markup(text(value)) if type(value) is str else value  # noqa: S704 - text() escapes

    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=plain,
    )


def _style() -> Any:
    from markupsafe import Markup  # noqa: PLC0415 - as above

    return Markup(_STYLE)  # noqa: S704 - our own files

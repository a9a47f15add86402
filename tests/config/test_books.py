"""[books]: a mistake in it is found before a month is stated, with its place and what to write instead."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tests.config.kit import loaded, refusal
from tracker.config.book_checks import minutes
from tracker.config.show import toml_lines
from tracker.core.errors import UsageError

FULL = """
[site.par1]
zone = "FR"

[books]
url = "s3://carbon-books/prod"
timezone = "Europe/Paris"
entity = "Example SA"
currency = "EUR"
group_by = ["team", "project"]
ship = "1h"
coverage_threshold = 0.9
same_person = true
retired = { gpu-001 = 2026-10-03 }

[[books.tariffs]]
price = 0.182
from = 2026-01-01
to = 2027-01-01
source = "contract 17"

[[books.tariffs]]
price = 0.2
site = "par1"
windows = [{ from = "22:00", to = "06:00", price = 0.12, days = ["mon", "fri"] }]

[accounting.grid_loss]
ratio = 0.041
form = "of_generated"
source = "eGRID2023"
"""


def test_the_books_are_read_as_they_are_written(tmp_path: Path) -> None:
    config = loaded(tmp_path, FULL)
    books = config.books
    assert (books.url, books.timezone, books.group_by) == (
        "s3://carbon-books/prod",
        "Europe/Paris",
        ("team", "project"),
    )
    assert books.retired == {"gpu-001": date(2026, 10, 3)}
    assert (books.tariffs[0].begin, books.tariffs[0].to) == (date(2026, 1, 1), date(2027, 1, 1))
    (window,) = books.tariffs[1].windows
    assert (window.begin, window.to, window.price, window.days) == ("22:00", "06:00", 0.12, ("mon", "fri"))
    assert (config.accounting.grid_loss.ratio, config.accounting.grid_loss.form) == (0.041, "of_generated")


def test_without_a_section_the_books_are_the_nodes_own_and_months_are_in_utc(tmp_path: Path) -> None:
    books = loaded(tmp_path).books
    assert (books.url, books.timezone, books.ship, books.tariffs) == ("", "UTC", False, ())
    assert (books.coverage_threshold, books.tier5_threshold, books.materiality) == (0.95, 0.05, 0.05)


def test_what_is_shown_of_the_books_loads_again_as_the_same(tmp_path: Path) -> None:
    config = loaded(tmp_path, FULL)
    (tmp_path / "again").mkdir()
    again = loaded(tmp_path / "again", "\n".join(line for line, _ in toml_lines(config)))
    assert (again.books, again.accounting) == (config.books, config.accounting)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ('timezone = "Europe/Pari"', "books.timezone"),
        ('group_by = ["temas"]', "books.group_by names 'temas', which is no column. Did you mean team?"),
        ('group_by = ["team", "team"]', "books.group_by names a column twice"),
        ("coverage_threshold = 95.0", "books.coverage_threshold is 95, but is a share: between 0 and 1. 5 % is 0.05."),
        ("materiality = -0.1", "books.materiality is -0.1"),
        ("memory_mib = 10", "books.memory_mib is 10, but must be at least 128."),
        ("ship = true", 'books.ship does not say how often. Write ship = "1h", or false.'),
        ('ship = "1m"', 'books.ship is "1m", but must be false or a duration of at least 10m.'),
        ('ship = "often"', 'books.ship is "often"'),
        ("tariffs = [{ price = 0.2 }]", "books.tariffs.0 has a price, and books.currency does not say of what."),
        ('currency = "EUR"\ntariffs = [{ price = -1 }]', "has the price -1, which no kilowatt-hour has"),
        ('currency = "EUR"\ntariffs = [{ site = "par1" }]', "does not say price"),
        (
            'currency = "EUR"\ntariffs = [{ price = 1, windows = [{ from = "25:00", to = "06:00", price = 1 }] }]',
            'books.tariffs.0.windows.0: "25:00" is no time of day.',
        ),
        (
            'currency = "EUR"\ntariffs = [{ price = 1, from = 2026-02-01, to = 2026-01-01 }]',
            "books.tariffs.0 ends before it begins",
        ),
        ('retired = { gpu-1 = "soon" }', "books.retired"),
        ("uri = 1", "There is no setting books.uri. Did you mean books.url?"),
    ],
)
def test_a_mistake_is_one_sentence_with_its_place(tmp_path: Path, section: str, message: str) -> None:
    said = refusal(tmp_path, f"[books]\n{section}\n")
    assert message in said
    assert said.startswith("config.toml:")


def test_a_tariff_of_a_site_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    text = '[site.par1]\nzone = "FR"\n[books]\ncurrency = "EUR"\ntariffs = [{ price = 0.2, site = "par2" }]\n'
    assert "books.tariffs.0.site is 'par2', which is no site here. Did you mean par1?" in refusal(tmp_path, text)


def test_a_loss_is_a_share(tmp_path: Path) -> None:
    assert "4.1 % is 0.041" in refusal(tmp_path, "[accounting.grid_loss]\nratio = 4.1\n")


def test_times_of_day() -> None:
    assert [minutes(text) for text in ("00:00", "07:30", "24:00")] == [0, 450, 1440]
    for text in ("24:01", "7:30", "12:60", "noon", ""):
        with pytest.raises(UsageError, match="is no time of day"):
            minutes(text)

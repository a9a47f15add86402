"""``wattledger estimate`` as a person and a script use it."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest

from tracker.cli.main import main


class Command:
    """Runs ``wattledger estimate`` and keeps what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, line: str, *more: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["estimate", *line.split(), *more])
        printed = self.capsys.readouterr()
        return end.value.code, printed.out, printed.err

    def json(self, line: str, *more: str) -> Any:
        code, out, err = self(line, *more, "--json")
        assert (code, err) == (0, "")
        return json.loads(out, parse_float=Decimal)


@pytest.fixture
def estimate(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


LLAMA = "--device-hours {} --watts {} --pue 1.1 --intensity-g-per-kwh 385"


@pytest.mark.parametrize(
    ("hours", "watts", "kg", "published_t"),
    [
        (184_320, 400, "31223.808", "31.22"),
        (368_640, 400, "62447.616", "62.44"),  # cut off, not rounded
        (1_038_336, 350, "153907.3536", "153.90"),  # cut off, not rounded
        (1_720_320, 400, "291422.208", "291.42"),
    ],
)
def test_llama_2_is_reproduced(estimate: Command, hours: int, watts: int, kg: str, published_t: str) -> None:
    """arXiv:2307.09288, table 2, to the last printed digit once it is known that its table cuts off."""
    result = estimate.json(LLAMA.format(hours, watts))
    assert result["location_kgco2e"] == Decimal(kg)
    assert str((Decimal(kg) / 1000).quantize(Decimal("0.01"), rounding="ROUND_DOWN")) == published_t


def test_the_help_explains_what_is_cut_off(estimate: Command) -> None:
    code, out, _ = estimate("--help")
    assert code == 0
    assert "153.90 t, are cut off" in out
    assert "62.4476 t and 153.9074 t" in out


def test_the_whole_world_is_no_market(estimate: Command) -> None:
    """As the statement and the counters have it: nothing stands in for a market's rate."""
    result = estimate.json("--kwh 100 --zone WORLD")
    assert result["location_kgco2e"] > 0
    assert result["market_kgco2e"] is None
    assert result["notes"]["market_kgco2e"].startswith("The whole world is no market.")


SCORE = ("--kwh", "10", "--pue", "1.2", "--intensity-g-per-kwh", "100", "--device-hours", "43.8")


def test_a_score_per_unit_counts_energy_and_hardware(estimate: Command) -> None:
    """ISO/IEC 21031: 12 kWh at 100 g and a thousandth of a device of 300 kg, over 3,000 tokens: 1.5 kg / 3000."""
    of = ("--device", "mine", "--device-kgco2e", "300", "--units", "3000", "--per", "token")
    result = estimate.json("", *SCORE, *of)
    assert result["sci"] == {"g_per_unit": Decimal("0.5"), "unit": "token", "units": 3000}
    code, out, _ = estimate("", *SCORE, *of)
    assert code == 0
    assert re.search(r"SCI +0\.500000  per token, of 3,000", out)


def test_a_score_without_the_hardware_is_none(estimate: Command) -> None:
    """Not 0 for what is not known: an SCI without M is no SCI."""
    result = estimate.json("", *SCORE, "--units", "3000", "--per", "token")
    assert result["sci"] is None
    assert result["notes"]["sci"].endswith("No device was named. Name it with --device.")
    assert estimate.json("", *SCORE)["sci"] is None


@pytest.mark.parametrize("half", [("--units", "3"), ("--per", "token"), ("--units", "0", "--per", "token")])
def test_half_a_score_is_refused(estimate: Command, half: tuple[str, ...]) -> None:
    code, _, err = estimate("", *SCORE, *half)
    assert (code, err.count("\n")) == (2, 1)
    assert "--units 5000000 --per token" in err


BLOOM = ("--device", "NVIDIA A100 (BLOOM assumption)", "--lifetime-hours", "44676")
HOST = ("--device", "HPE Apollo 6500 server without GPUs (BLOOM assumption)", "--lifetime-hours", "44676")


def test_bloom_is_reproduced(estimate: Command) -> None:
    """arXiv:2211.02001: 24.69 t dynamic, 14.6 t idle, 11.2 t embodied in servers and GPUs, 50.5 t in all."""
    dynamic = estimate.json("--device-hours 1082990 --watts 400 --intensity-g-per-kwh 57", *BLOOM)
    idle = estimate.json("--kwh 256646 --intensity-g-per-kwh 57")
    servers = estimate.json("--device-hours 135373.75 --kwh 1 --intensity-g-per-kwh 57", *HOST)
    assert dynamic["energy_it_kwh"] == dynamic["energy_facility_kwh"] == 433_196
    assert dynamic["location_kgco2e"] == Decimal("24692.172")
    assert idle["location_kgco2e"] == Decimal("14628.822")
    embodied = dynamic["embodied_kgco2e"] + servers["embodied_kgco2e"]
    assert (round(dynamic["embodied_kgco2e"] / 1000, 4), round(servers["embodied_kgco2e"] / 1000, 4)) == (
        Decimal("3.6361"),
        Decimal("7.5753"),
    )
    assert round(embodied / 1000, 1) == Decimal("11.2")
    total = dynamic["location_kgco2e"] + idle["location_kgco2e"] + embodied
    assert round(total / 1000, 1) == Decimal("50.5")


def test_everything_from_tables_as_json(estimate: Command) -> None:
    """A month of eight H100 in Paris, with every factor and where it is from."""
    result = estimate.json(
        "--device-hours 5840 --watts 620 --pue 1.21 --zone fr --date 2026-10-31 --device H100 --devices 8"
    )
    assert (result["date"], result["zone"], result["pue"], result["pue_assumed"]) == (
        "2026-10-31",
        "FR",
        Decimal("1.21"),
        False,
    )
    assert (result["energy_it_kwh"], result["energy_facility_kwh"]) == (Decimal("3620.8"), Decimal("4381.168"))
    assert result["location_kgco2e"] == Decimal("219.0584")
    assert result["market_kgco2e"] == Decimal("103.04507136")
    assert result["embodied_kgco2e"] == Decimal("21.866666667")
    assert result["embodied_acquisition_kgco2e"] == 1312
    location, market, device = (result["factors"][name] for name in ("location", "market", "embodied"))
    assert (location["factor_id"], location["value_g_per_kwh"], location["factor_type"]) == ("eea2023:FR", 50, "direct")
    assert (location["edition"], location["tier"], location["flagged"]) == ("EEA 2023", 4, False)
    assert "European Environment Agency" in location["attribution"]
    assert (market["factor_id"], market["basis"]) == ("aib2024:FR:residual", "residual")
    assert (device["device"], device["kgco2e"], device["lifetime_hours"]) == ("NVIDIA HGX H100 per GPU", 164, 43_800)
    assert "1.21" in result["method"]


@pytest.mark.parametrize(("date", "kg"), [("2025-06-30", "177"), ("2026-06-30", "130.96")])
def test_the_date_chooses_the_edition(estimate: Command, date: str, kg: str) -> None:
    """And not the latest one that is known: 26 % lie between these two."""
    assert estimate.json(f"--kwh 1000 --pue 1 --zone GB --date {date}")["location_kgco2e"] == Decimal(kg)


def test_location_and_market_stand_side_by_side(estimate: Command) -> None:
    code, out, err = estimate("--kwh 1000 --pue 1.2 --zone DE --date 2025-06-30 --market-g-per-kwh 30")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "Estimate in DE (Germany), reporting date 2025-06-30"
    assert "  location-based             412.800  344 g/kWh, UBA 2025 preliminary, direct CO2, tier 4" in lines
    assert "  market-based                36.000  30 g/kWh, as stated" in lines
    assert any(line.startswith("  method ") for line in lines)
    assert any(line.startswith("  source ") and "UBA (Germany)" in line for line in lines)
    assert any(line.startswith("  licence ") and "Umweltbundesamt" in line for line in lines)
    assert "\x1b" not in out, "plain text in a pipe"


def test_little_is_not_nothing(estimate: Command) -> None:
    """One answer of 0.3 Wh."""
    _, out, _ = estimate("--kwh 0.0003 --pue 1 --intensity-g-per-kwh 57 --market-g-per-kwh 0")
    assert "  IT                     0.000300000  0.0003 kWh as stated" in out.splitlines()
    assert "  location-based         0.000017100  57 g/kWh, as stated" in out.splitlines()
    assert "  market-based                 0.000  0 g/kWh, as stated" in out.splitlines()


def test_columns_line_up_and_nothing_is_wrapped_in_a_pipe(estimate: Command) -> None:
    _, out, _ = estimate("--device-hours 12345678 --watts 700 --zone FR --device B200")
    table = [line for line in out.splitlines() if line.startswith(("  IT ", "  facility ", "  location", "  embodied"))]
    assert len(table) == 4
    assert len({line.find("  ", 30) for line in table}) == 1
    assert max(map(len, out.splitlines())) > 120


@pytest.mark.parametrize(
    ("line", "name", "reason"),
    [
        ("--kwh 1 --zone AQ", "location_kgco2e", "No table has a value for it."),
        ("--kwh 1 --zone NL", "market_kgco2e", "full-disclosure regime"),
        ("--kwh 1 --zone AT", "market_kgco2e", "full-disclosure regime"),
        ("--kwh 1 --intensity-g-per-kwh 57", "market_kgco2e", "State a rate with --market-g-per-kwh."),
        ("--kwh 1 --zone FR --device MI300X", "embodied_kgco2e", "Its maker publishes no figure."),
        ("--kwh 1 --zone FR --device H100", "embodied_kgco2e", "State it with --device-hours."),
        ("--kwh 1 --zone FR", "embodied_kgco2e", "No device was named."),
    ],
)
def test_p11_no_value_is_null_with_the_reason(estimate: Command, line: str, name: str, reason: str) -> None:
    """Never 0 kg."""
    result = estimate.json(line)
    assert result[name] is None
    assert reason in result["notes"][name]
    assert reason in estimate(line)[1]


def test_what_stands_in_is_flagged(estimate: Command) -> None:
    """A life-cycle value for a location, a location's factor for a market, the industry's PUE for a site's."""
    result = estimate.json("--kwh 1 --zone SG")
    assert result["factors"]["location"]["factor_type"] == "lifecycle"
    assert result["factors"]["location"]["flagged"] is True
    assert "It is a life-cycle value" in result["notes"]["location_kgco2e"]
    assert "the location-based factor stands in" in result["notes"]["market_kgco2e"]
    assert (result["pue"], result["pue_assumed"]) == (Decimal("1.56"), True)
    assert result["energy_facility_kwh"] == Decimal("1.56")
    assert result["notes"]["pue"] == "assumed: industry average; state yours with --pue"


def test_nothing_is_put_into_a_formula_that_somebody_states(estimate: Command) -> None:
    """Papers are reproduced by their own numbers; that they count no overhead is flagged all the same."""
    result = estimate.json("--kwh 1 --intensity-g-per-kwh 57")
    assert (result["pue"], result["pue_assumed"], result["energy_facility_kwh"]) == (1, True, 1)
    assert result["notes"]["pue"].startswith("assumed: no overhead is counted")


def test_an_own_figure_for_a_device(estimate: Command) -> None:
    result = estimate.json("--kwh 1 --device-hours 43800 --zone FR --device mine --device-kgco2e 321.5")
    assert result["embodied_kgco2e"] == Decimal("321.5")
    assert result["factors"]["embodied"]["publisher"] == "own figure"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("--zone FR", "Say how much energy: --device-hours N --watts W, or --kwh E."),
        ("--zone FR --device-hours 5", "Say how much energy: --device-hours N --watts W, or --kwh E."),
        ("--kwh 1 --watts 3 --zone FR", "--kwh is the energy, and --watts would say it again."),
        ("--kwh 1", "Say what a kWh weighs: either --zone Z or --intensity-g-per-kwh X."),
        ("--kwh 1 --zone FR --intensity-g-per-kwh 5", "Say what a kWh weighs: either --zone Z or"),
        ("--kwh 1e3 --zone FR", "--kwh '1e3' is not a number from 0 up."),
        ("--kwh 1,000 --zone FR", "--kwh '1,000' is not a number from 0 up."),
        ("--kwh=-1 --zone FR", "--kwh '-1' is not a number from 0 up."),
        ("--kwh nan --zone FR", "--kwh 'nan' is not a number from 0 up."),
        ("--kwh 0 --zone FR", "There is no energy"),
        ("--kwh 1 --pue 0.9 --zone FR", "--pue 0.9 is no PUE."),
        ("--kwh 1 --pue 1.2345 --zone FR", "--pue 1.2345 is no PUE."),
        ("--kwh 1 --intensity-g-per-kwh 2001", "--intensity-g-per-kwh 2001 is more than any grid's 2000 g/kWh."),
        ("--kwh 1 --zone FR --market-g-per-kwh 99999", "--market-g-per-kwh 99999 is more than any grid's"),
        ("--kwh 1 --zone Frnace", "The zone 'Frnace' is not known. Did you mean FR (France)?"),
        ("--kwh 1 --zone aws:us-west-2", "The public tables disagree about aws:us-west-2 (Oregon)"),
        ("--kwh 1 --zone FR --date yesterday", "'yesterday' is no date."),
        ("--kwh 1 --zone FR --date 0001-01-01T00:00+23:59", "No factor is of 0001-01-01T00:00+23:59."),
        ("--kwh 1 --zone FR --device H10", "No figure is known for the device 'H10'. Did you mean H100"),
        ("--kwh 1 --zone FR --devices 8", "Of which device? Add --device NAME."),
        ("--kwh 1 --zone FR --device H100 --devices 0", "--devices 0 is not a whole number from 1 up."),
        ("--kwh 1 --zone FR --device H100 --lifetime-hours 1.5", "--lifetime-hours 1.5 is not a whole number"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_2(estimate: Command, line: str, sentence: str) -> None:
    code, out, err = estimate(line)
    assert (code, out) == (2, "")
    assert err.startswith("wattledger: " + sentence)
    assert err.count("\n") == 1
    assert "Traceback" not in err

"""Names that users choose: whatever they contain, a label stays short, printable and somebody's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.core.model import Kind, Workload
from tracker.workloads.labels import clean_key, clean_label, clean_workload
from tracker.workloads.paths import identify, identify_process

TEXT = st.text(st.characters(codec=None), max_size=300)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("nginx.service", "nginx.service"),
        ("café 日本", "café 日本"),
        ('a"b\\c{}', 'a"b\\c{}'),
        ("a\nb\rc\td\x00e\x7f", "a\ufffdb\ufffdc\ufffdd\ufffde\ufffd"),
        ("line\u2028separator", "line\ufffdseparator"),
        ("\u202egnissecorp", "\ufffdgnissecorp"),
        ("bad \udcff byte", "bad \ufffd byte"),
        ("x" * 10_000, "x" * 128),
        ("=cmd()", "=cmd()"),
        ("", ""),
    ],
)
def test_label(text: str, label: str) -> None:
    assert clean_label(text) == label


def test_keys_that_differ_stay_different() -> None:
    """Nobody books on a neighbour's name by an invisible character or a long tail."""
    names = ["unit/a", "unit/a\n", "unit/a\r", "unit/a\udcff", "unit/" + "a" * 200, "unit/" + "a" * 201]
    assert len({clean_key(name) for name in names}) == len(names)
    assert clean_key("unit/a") == "unit/a"


@given(TEXT)
def test_any_text_becomes_a_valid_label(text: str) -> None:
    for cleaned in (clean_label(text), clean_key(text)):
        assert len(cleaned) <= 128
        assert cleaned.isprintable()
        cleaned.encode()
    assert clean_label(clean_label(text)) == clean_label(text)


@given(TEXT)
def test_any_path_is_some_identity(path: str) -> None:
    """Whatever a user names a cgroup, the parser answers, and what it answers is clean."""
    for identity in (identify(path), identify("/system.slice/" + path + ".service"), identify_process(path)):
        texts = [identity.key, identity.unit, identity.slurm_job, identity.slurm_step, *identity.extra.values()]
        for text in texts:
            assert len(text) <= 128
            assert text.isprintable()


@given(st.lists(st.text(st.characters(exclude_characters="/"), min_size=1, max_size=20), max_size=5))
def test_users_pose_as_nobody(parts: list[str]) -> None:
    """Whatever a user creates below their own slice, it is theirs or a container's."""
    below = identify("/".join(["/user.slice/user-1000.slice", *parts]))
    assert below.kind in {Kind.USER, Kind.UNIT, Kind.CONTAINER}
    assert below.user_id == "1000"


def test_a_workload_is_cleaned_in_every_label() -> None:
    dirty = Workload("other", Kind.POD, *["a\nb"] * 12)
    clean = clean_workload(dirty, "pod/1", Kind.POD)
    assert clean == Workload("pod/1", Kind.POD, *["a\ufffdb"] * 12)

"""Which line a key stands on, in every form that TOML allows."""

from __future__ import annotations

import tomllib

from tracker.config.lines import key_lines

TEXT = '''# [not] = "a table"
[node]   # a comment with "quotes and [brackets
hostname = "a # b [c]"

site.par1 = { zone = "FR",  pue = 1.2 }   # 5
"quoted key".x = 1
  [ site . "osl.1" ]
text = """
[fake]
key = 1
"""
raw = \'\'\'
[fake2]
\'\'\'
list = [
  1, # ] not the end
  "]",
  [2, 3],
]
after = 20
[[rules]]
match = 1
[[rules]]
match = 2
last = """four quotes""""
[rules.set]
end = true
[[a.b]]
[[a.b.c]]
x = 1
[[a.b.c]]
[[a.b]]
[[a.b.c]]
y.z = 1
'''


def test_every_key_has_its_line() -> None:
    tomllib.loads(TEXT)
    lines = key_lines(TEXT)
    assert lines == {
        ("node",): 2,
        ("node", "hostname"): 3,
        ("node", "site"): 5,
        ("node", "site", "par1"): 5,
        ("node", "quoted key"): 6,
        ("node", "quoted key", "x"): 6,
        ("site",): 7,
        ("site", "osl.1"): 7,
        ("site", "osl.1", "text"): 8,
        ("site", "osl.1", "raw"): 12,
        ("site", "osl.1", "list"): 15,
        ("site", "osl.1", "after"): 20,
        ("rules",): 21,
        ("rules", "0"): 21,
        ("rules", "0", "match"): 22,
        ("rules", "1"): 23,
        ("rules", "1", "match"): 24,
        ("rules", "1", "last"): 25,
        ("rules", "1", "set"): 26,
        ("rules", "1", "set", "end"): 27,
        ("a",): 28,
        ("a", "b"): 28,
        ("a", "b", "0"): 28,
        ("a", "b", "0", "c"): 29,
        ("a", "b", "0", "c", "0"): 29,
        ("a", "b", "0", "c", "0", "x"): 30,
        ("a", "b", "0", "c", "1"): 31,
        ("a", "b", "1"): 32,
        ("a", "b", "1", "c"): 33,
        ("a", "b", "1", "c", "0"): 33,
        ("a", "b", "1", "c", "0", "y"): 34,
        ("a", "b", "1", "c", "0", "y", "z"): 34,
    }


def test_windows_line_ends_and_no_final_one() -> None:
    assert key_lines("[a]\r\nb = 1\r\n[c]") == {("a",): 1, ("a", "b"): 2, ("c",): 3}
    assert key_lines("") == {}

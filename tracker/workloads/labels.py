"""Text that users control, made safe to be a label: cgroup names, unit names, pod labels, job names.

Anyone who may create a cgroup or submit a job chooses such a name. What leaves this folder is short, printable,
valid UTF-8.
"""

from __future__ import annotations

from dataclasses import fields

from tracker.core.model import Kind, Workload

MAX_CHARACTERS = 128
_REPLACEMENT = "\ufffd"
_DIGEST_CHARACTERS = 16
_TEXTS = tuple(field.name for field in fields(Workload) if field.name not in {"key", "kind"})


def clean_label(text: str) -> str:
    """``text`` with everything unprintable replaced by U+FFFD, cut to 128 characters.

    Unprintable is what Unicode calls so: control characters, newlines (also U+2028), direction overrides, unassigned
    code points, and the lone surrogates that ``os.fsdecode`` makes of bytes that are no UTF-8.
    """
    text = text[:MAX_CHARACTERS]
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _REPLACEMENT for character in text)


def clean_key(text: str) -> str:
    """A cleaned workload key. Two keys that differ stay different: where cleaning changed anything, a digest of the
    whole text follows, so that nobody can book on a neighbour's name by an invisible character or a long tail."""
    cleaned = clean_label(text)
    if cleaned == text:
        return cleaned
    import hashlib  # noqa: PLC0415 - maps OpenSSL, for a name that hardly ever occurs

    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_CHARACTERS]
    return f"{cleaned[: MAX_CHARACTERS - 1 - _DIGEST_CHARACTERS]}~{digest}"


def clean_workload(workload: Workload, key: str, kind: Kind) -> Workload:
    """``workload`` with every label cleaned, under the already clean ``key``."""
    texts = {name: clean_label(getattr(workload, name)) for name in _TEXTS}
    return Workload(key, kind, **texts)

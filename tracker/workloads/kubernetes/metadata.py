"""The API server's list of this node's pods: JSON in, data out.

It is asked for ``PartialObjectMetadataList`` (kubernetes.io, "API concepts: resource representations"), which holds the
metadata of each pod and nothing else: no image, no container id, no status, no request.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from tracker.core.units import NS_PER_S
from tracker.workloads.kubernetes.podlogs import UID
from tracker.workloads.kubernetes.podresources import MAX_NAME
from tracker.workloads.labels import clean_label

#: Of one pod, labels first: what is believed of its labels and annotations. Usual pods stay far below.
MAX_TEXTS, MAX_CHARACTERS = 64, 2048
MAX_TEXT_NAME = 317  # a prefix of 253, a slash, a name of 63 (kubernetes.io, "Labels and selectors")
#: Large, and no description of the work.
_NOISE = frozenset({"kubectl.kubernetes.io/last-applied-configuration"})
#: A node runs some hundred pods at most; a list of more is not of one node.
MAX_PODS = 4096
#: Of a static pod the kubelet shows the API server a mirror with a uid of its own; what runs on the node is named by
#: the hash (kubelet, pkg/kubelet/types: ConfigMirrorAnnotationKey, ConfigHashAnnotationKey).
_MIRROR, _HASH = "kubernetes.io/config.mirror", "kubernetes.io/config.hash"
_UID = re.compile(UID)
_HASH_UID = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class ApiPod:
    """``uid``: as in cgroup names. ``mirror_uid``: of the mirror of a static pod, else empty. ``owner_*``: of the
    controlling owner. Labels and annotations are cleaned and bounded: a pod that is gone is remembered for a while."""

    uid: str
    namespace: str
    name: str
    mirror_uid: str = ""
    created_ns: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    owner_kind: str = ""
    owner_name: str = ""


class _Owner(msgspec.Struct):
    kind: str = ""
    name: str = ""
    controller: bool = False


class _Metadata(msgspec.Struct, rename="camel"):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    creation_timestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[_Owner] | None = None


class _Item(msgspec.Struct):
    metadata: _Metadata


class _List(msgspec.Struct):
    items: list[_Item] | None  # an empty list of Go is null


def parse_pods(body: bytes | bytearray) -> tuple[ApiPod, ...]:
    """All pods that have a uid and a name. Raises ValueError when it is no list of pods."""
    try:
        items = msgspec.json.decode(body, type=_List).items or []
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if len(items) > MAX_PODS:
        raise ValueError(f"{len(items)} pods on one node")
    return tuple(
        _pod(item.metadata)
        for item in items
        if _UID.fullmatch(item.metadata.uid) and item.metadata.name and item.metadata.namespace
    )


def _pod(metadata: _Metadata) -> ApiPod:
    annotations = metadata.annotations or {}
    uid, mirror_uid = metadata.uid, ""
    # The form keeps a pod from passing for a usual one: those have uids with dashes.
    if _MIRROR in annotations and _HASH_UID.fullmatch(annotations.get(_HASH, "")):
        uid, mirror_uid = annotations[_HASH], metadata.uid
    room = Room()
    owner = next((owner for owner in metadata.owner_references or () if owner.controller), _Owner())
    return ApiPod(
        uid,
        metadata.namespace[:MAX_NAME],
        metadata.name[:MAX_NAME],
        mirror_uid,
        _instant_ns(metadata.creation_timestamp or ""),
        room.fitting(metadata.labels or {}),
        room.fitting(annotations),
        owner.kind[:MAX_NAME],
        owner.name[:MAX_NAME],
    )


class Room:
    """What may still be kept of one pod."""

    def __init__(self) -> None:
        self._texts, self._characters = MAX_TEXTS, MAX_CHARACTERS

    def fitting(self, texts: Mapping[str, str]) -> dict[str, str]:
        """The cleaned texts that there is room for, in their order."""
        kept = {}
        for name, raw in texts.items():
            if name in _NOISE or len(name) > MAX_TEXT_NAME or not name.isprintable():
                continue
            text = clean_label(raw)
            if self._texts > 0 and len(name) + len(text) <= self._characters:
                self._texts, self._characters = self._texts - 1, self._characters - len(name) - len(text)
                kept[sys.intern(name)] = text  # a node's pods have the same few names
        return kept


def _instant_ns(text: str) -> int:
    """RFC 3339, in whole seconds; 0: unknown."""
    try:
        return int(datetime.fromisoformat(text).timestamp()) * NS_PER_S
    except (ValueError, OverflowError, OSError):
        return 0

"""Names, images and labels of containers, from the engines' own API.

Off unless a socket is named: whoever can reach Docker's socket, or that of a rootful Podman, is root on the node
(https://docs.docker.com/engine/security/#docker-daemon-attack-surface). This resolver only ever sends ``GET
/containers/json`` (Docker Engine API v1.24 and later; Podman answers the same under its Docker-compatible API), but its
process holds the power all the same. Without a socket containers have their ids, which are charged just as exactly.

containerd has no such API: a container of nerdctl keeps its id.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

import msgspec

from tracker.core.model import Finding, Kind, Level, Moment, Workload
from tracker.core.units import NS_PER_S
from tracker.workloads.engine_socket import EngineFailed, get
from tracker.workloads.interface import Identity, Resolver
from tracker.workloads.labels import clean_label, clean_workload
from tracker.workloads.learner import Clock, Learner

RENEW_NS = 600 * NS_PER_S  # a container may be renamed
KEEP_NS = 15 * 60 * NS_PER_S  # after it was last listed: its last energy still arrives
MAX_CONTAINERS = 4096
MAX_LABELS = 64
MAX_UNKNOWN = 1024
MAX_ASKED = 5  # an id that the engines do not know is not asked for again and again
DEADLINE_S = 5.0
MAX_BYTES = 4 << 20
_LOOK_S = 5.0
_ID_CHARACTERS = 64


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of container naming."""

    #: Sockets of Docker or Podman, such as "/run/docker.sock" or "/run/podman/podman.sock". None by default: whoever
    #: holds such a socket is root on this node.
    sockets: tuple[str, ...] = ()
    #: How seldom the engines are asked at least. They are asked only when there is a new container.
    every_s: Annotated[float, msgspec.Meta(ge=30)] = 30.0


class _Container(msgspec.Struct):
    """One element of the answer. Other fields are ignored."""

    Id: str = ""
    Names: list[str] | None = None
    Image: str | None = None
    Labels: dict[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Container:
    """What an engine says of a container, made safe to be labels."""

    name: str
    image: str
    labels: Mapping[str, str]


def parse_containers(text: bytes) -> dict[str, Container]:
    """The containers by id. Raises ValueError."""
    try:
        answer = msgspec.json.decode(text, type=list[_Container])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ValueError(f"no list of containers ({error})") from error
    return {container.Id: _cleaned(container) for container in answer[:MAX_CONTAINERS] if container.Id}


def _cleaned(container: _Container) -> Container:
    # "/web", and "/other/alias" for each legacy link to it (Docker)
    names = [name.removeprefix("/") for name in container.Names or ()]
    own = next((name for name in names if name and "/" not in name), next(iter(names), ""))
    texts = [(name, value) for name, value in (container.Labels or {}).items() if isinstance(value, str)]
    labels = {clean_label(name): clean_label(value) for name, value in texts[:MAX_LABELS]}
    return Container(clean_label(own), clean_label(container.Image or ""), labels)


@dataclass(slots=True)
class _Known:
    """A container as the tick sees it; the agent's thread fills in the last two."""

    container: Container
    attributes: Mapping[str, str]
    plain: Workload | None = None
    workload: Workload | None = None


@dataclass(slots=True)
class _Engine:
    socket: str
    trouble: str = ""
    listed: int | None = None  # containers in its last answer


@dataclass(slots=True)
class _Learned:
    """What the learning thread remembers."""

    known: dict[str, _Known] = field(default_factory=dict)
    listed_ns: dict[str, int] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)  # of ids that are not known


class EnginesResolver(Resolver):
    """Names containers. ``turn`` is what its thread does; tests call it themselves."""

    name = "containers"

    def __init__(self, options: Options, clock: Clock) -> None:
        self._options, self._clock = options, clock
        self._engines = [_Engine(socket) for socket in options.sockets]
        self._learner = Learner(self.name, self.turn, clock)
        self._learned = _Learned()
        self._view: Mapping[str, _Known] = {}  # swapped by reference
        self._unknown: deque[str] = deque(maxlen=MAX_UNKNOWN)
        self._asked_ns: int | None = None

    def start(self) -> None:
        if self._engines:
            self._learner.start()

    def close(self) -> None:
        self._learner.close()

    def resolve(self, identity: Identity, workload: Workload) -> Workload | None:
        if identity.kind is not Kind.CONTAINER or len(identity.container_id) != _ID_CHARACTERS:
            return None
        known = self._view.get(identity.container_id)
        if known is None:
            if self._engines:
                self._unknown.append(identity.container_id)
            return None
        if known.plain is not workload or known.workload is None:
            name = known.container.name or workload.name
            labelled = replace(workload, name=name, container=name)
            known.workload = clean_workload(labelled, workload.key, workload.kind)
            known.plain = workload
        return known.workload

    def attributes(self, key: str) -> Mapping[str, str]:
        known = self._view.get(key.removeprefix("container/"))
        return known.attributes if known is not None else {}

    def check(self) -> tuple[Finding, ...]:
        if self._engines and not self._learner.alive:
            try:
                self._ask(self._clock().mono_ns)
            except Exception as error:  # noqa: BLE001 - it must not raise
                return (Finding(Level.FAIL, self.name, f"Naming containers failed: {type(error).__name__}: {error}."),)
        return tuple(_findings(self._engines, self._learner.trouble()))

    def turn(self, now: Moment) -> float:
        """Ask if it is time and a container is new. Called from one thread; returns the seconds to the next call."""
        now_ns = now.mono_ns
        every_ns = round(self._options.every_s * NS_PER_S)
        if self._asked_ns is not None and now_ns - self._asked_ns < every_ns:
            return _LOOK_S
        asked = self._learned.asked
        new = {name for name in list(self._unknown) if asked.get(name, 0) < MAX_ASKED}
        due = self._asked_ns is None or now_ns - self._asked_ns >= RENEW_NS
        if not (new or due):
            return _LOOK_S
        self._unknown.clear()
        self._ask(now_ns)
        missing = {name: asked.get(name, 0) + 1 for name in new if name not in self._learned.known}
        self._learned.asked = {**dict(list(asked.items())[-MAX_UNKNOWN:]), **missing}
        return _LOOK_S

    def _ask(self, now_ns: int) -> None:
        self._asked_ns = now_ns
        learned = self._learned
        for engine in self._engines:
            try:
                answer = parse_containers(get(engine.socket, "/containers/json", DEADLINE_S, MAX_BYTES))
            except (EngineFailed, ValueError) as error:
                engine.trouble = f"{error}."
                continue
            engine.trouble, engine.listed = "", len(answer)
            for identifier, container in answer.items():
                learned.listed_ns[identifier] = now_ns
                old = learned.known.get(identifier)
                if old is None or old.container != container:
                    learned.known[identifier] = _Known(container, _attributes(container))
        self._forget(now_ns, aged=not any(engine.trouble for engine in self._engines))
        self._view = dict(learned.known)

    def _forget(self, now_ns: int, *, aged: bool) -> None:
        """Those that were not listed for 15 minutes (if ``aged``: an engine that does not answer says nothing about its
        containers), and the longest unlisted beyond 4096."""
        learned = self._learned
        oldest_first = sorted(learned.listed_ns, key=lambda name: learned.listed_ns[name])
        gone = set(oldest_first[: max(0, len(oldest_first) - MAX_CONTAINERS)])
        if aged:
            gone |= {name for name in oldest_first if now_ns - learned.listed_ns[name] > KEEP_NS}
        for name in gone:
            del learned.known[name], learned.listed_ns[name]


def _attributes(container: Container) -> dict[str, str]:
    found = {f"label:{name}": value for name, value in container.labels.items()}
    return {"image": container.image, **found} if container.image else found


def _findings(engines: Sequence[_Engine], trouble: str) -> list[Finding]:
    found = [] if not trouble else [Finding(Level.FAIL, EnginesResolver.name, f"Naming containers: {trouble}")]
    for engine in engines:
        if engine.trouble:
            remedy = f"Look with: curl --unix-socket {engine.socket} http://localhost/containers/json"
            text = f"{engine.socket} does not answer: {engine.trouble}"
            found.append(Finding(Level.WARN, EnginesResolver.name, text, remedy))
        elif engine.listed is not None:
            text = f"{engine.listed} containers are named by {engine.socket}."
            found.append(Finding(Level.OK, EnginesResolver.name, text))
    return found

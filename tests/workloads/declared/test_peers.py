"""Who may declare what: the kernel says who a client is, across users and PID namespaces."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workloads.declared.puppet import Puppet
from tests.workloads.declared.serving import Served, declaration, serving
from tracker.workloads.declared.peers import Peers, is_foreign, parse_fdinfo, parse_uids, translate

REPO = Path(__file__).resolve().parents[3]

#: Says hello and one message to a socket, as whoever runs it, and prints the answer.
SAY = """
import json, os, socket, sys
path, user, text = sys.argv[1:]
if int(user):
    os.setgroups([]); os.setresgid(*[int(user)] * 3); os.setresuid(*[int(user)] * 3)
client = socket.socket(socket.AF_UNIX)
client.connect(path)
client.sendall(b'{"op": "hello", "v": 1}\\n' + text.encode() + b"\\n")
print(client.makefile().readline(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def served() -> Iterator[Served]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        with serving(folder) as served:
            yield served


class Speaker:
    """Another process that says one message and stays."""

    def __init__(self, path: Path, message: dict[str, object], user: int = 0, prefix: tuple[str, ...] = ()) -> None:
        command = [*prefix, sys.executable, "-S", "-c", SAY, str(path), str(user), json.dumps({**message, "id": 7})]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.answer = json.loads(self.process.stdout.readline())

    def end(self) -> None:
        self.process.communicate()


@pytest.mark.needs("root")
def test_a_user_declares_itself_and_not_another_user(served: Served) -> None:
    with Puppet() as roots_process:
        mine = Speaker(served.path, declaration("mine"), user=65534)
        assert mine.answer == {"id": 7, "ok": True}
        (each,) = served.runs.stored()
        assert (each.uid, each.pid) == (65534, mine.process.pid)
        other = Speaker(served.path, declaration("other", "b" * 32, pid=roots_process.pid), user=65534)
        assert other.answer["error"] == f"Process {roots_process.pid} is another user's."
        thief = Speaker(served.path, {"op": "end", "token": "0" * 32}, user=65533)
        assert thief.answer["error"] == "There is no such run, or it is over."
        root = Speaker(served.path, declaration("root", "c" * 32, pid=mine.process.pid))
        assert root.answer["ok"], "root may declare for anybody"
        for speaker in (mine, other, thief, root):
            speaker.end()


@pytest.mark.needs("root")
def test_a_user_may_declare_another_process_of_its_own(served: Served) -> None:
    """A launcher that declares the server it has started."""
    with subprocess.Popen(["cat"], user=65534, group=65534, stdin=subprocess.PIPE) as child:
        speaker = Speaker(served.path, declaration("mine", pid=child.pid), user=65534)
        assert speaker.answer == {"id": 7, "ok": True}
        (each,) = served.runs.stored()
        assert each.pid == child.pid
        speaker.end()
        child.communicate()


UNSHARE = ("unshare", "--pid", "--fork", "--kill-child")


@pytest.mark.needs("root", "unshare")
def test_a_client_in_a_pid_namespace_is_known_by_its_number_here(served: Served) -> None:
    """A container with the socket mounted: there it is pid 1, the kernel gives us the host's."""
    speaker = Speaker(served.path, declaration("inside"), prefix=UNSHARE)
    assert speaker.answer == {"id": 7, "ok": True}
    (each,) = served.runs.stored()
    assert each.pid not in {1, speaker.process.pid}
    assert "python" in Path(f"/proc/{each.pid}/exe").readlink().name
    foreign = Speaker(served.path, declaration("pid", "b" * 32, pid=1), prefix=UNSHARE)
    assert "can only declare itself" in foreign.answer["error"]
    for one in (speaker, foreign):
        one.end()


#: A daemon in a PID namespace of its own: what it says of a client outside, and, with the host's /proc, of one inside.
INSIDE = """
import os, socket, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tracker.workloads.declared.declaration import Refused
from tracker.workloads.declared.peers import Peers, is_foreign, translate
listener = socket.socket(fileno=int(sys.argv[2]))
try:
    Peers(Path("/proc")).of(listener.accept()[0])
except Refused as error:
    print(error, flush=True)
print(os.getpid(), is_foreign("/proc"), translate("/proc", os.getpid()), flush=True)
sys.stdin.read()
"""


@pytest.mark.needs("root", "unshare")
def test_a_daemon_in_a_pid_namespace_says_what_it_lacks_and_reads_the_hosts_numbers(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        client.connect(str(tmp_path / "s"))
        command = [*UNSHARE, sys.executable, "-c", INSIDE, str(REPO), str(listener.fileno())]
        with subprocess.Popen(
            command, pass_fds=[listener.fileno()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as daemon:
            assert daemon.stdout is not None
            assert "hostPID: true" in daemon.stdout.readline()
            inner, foreign, here = daemon.stdout.readline().split()
            assert (inner, foreign) == ("1", "True")
            assert "python" in Path(f"/proc/{here}/exe").readlink().name, "the number that this /proc gives it"
            daemon.communicate()


def test_our_own_proc_is_not_foreign_and_a_folder_does_not_say(tmp_path: Path) -> None:
    assert not is_foreign("/proc")
    assert not is_foreign(str(tmp_path))
    assert translate("/proc", os.getpid()) == os.getpid()
    assert translate("/proc", 4_000_000) == 0
    assert translate(str(tmp_path), os.getpid()) == 0


def test_a_process_of_its_own_needs_no_look_up() -> None:
    left, right = socket.socketpair()
    with left, right:
        peers = Peers(Path("/proc"))
        peer = peers.of(left)
        assert (peer.pid, peer.uid) == (os.getpid(), os.geteuid())
        assert peers.other(peer, 0) is peer
        assert peers.other(peer, peer.pid) is peer


@pytest.mark.parametrize(("text", "uids"), [("", []), ("Name:\tx\nUid:\t1\t2\t3\t4\n", [1, 2, 3, 4]), ("Uid:\tx", [])])
def test_uids(text: str, uids: list[int]) -> None:
    assert parse_uids(text) == uids


@pytest.mark.parametrize(("text", "pid"), [("", 0), ("pos:\t0\nPid:\t77\n", 77), ("Pid:\t-1", 0), ("Pid:\tx", 0)])
def test_the_number_behind_a_pidfd(text: str, pid: int) -> None:
    assert parse_fdinfo(text) == pid

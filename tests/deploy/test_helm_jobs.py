"""The scripts and commands of the chart's pods, run for real as they are rendered: paths are moved, nothing else is."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from tests.deploy import helm
from tests.deploy.helm import Manifest, merged
from tests.e2e.daemon import COMMAND, Daemon
from tests.e2e.test_serve import Served
from tests.e2e.test_ship import Node
from tests.fakes.machine import Machine
from tests.fakes.s3 import S3, s3_server
from tracker.books.store import open_store
from tracker.core.errors import WattledgerError

JOBS = helm.CHART / "files" / "jobs"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"chart_{name}", JOBS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def moved(text: str, places: Mapping[str, Path]) -> str:
    """A path of the container as one of this machine."""
    if not places:
        return text
    known = "|".join(re.escape(path) for path in places)
    return re.sub(rf"({known})(?=/|$)", lambda found: str(places[found[1]]), text)


def run(
    container: Manifest, places: Mapping[str, Path], env: Mapping[str, str], prefix: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """A container's command with its arguments and variables."""
    program, *rest = [moved(word, places) for word in (*container["command"], *container.get("args", ()))]
    program = {"wattledger": COMMAND, "python3": sys.executable}[program]
    own = {name: moved(value, places) for name, value in helm.environ(container).items()}
    whole = {"PATH": os.environ["PATH"], **own, **env}
    return subprocess.run(
        [*prefix, program, *rest], env=whole, capture_output=True, text=True, check=False, timeout=120
    )


def config_files(values: helm.Values, folder: Path) -> Path:
    """The ConfigMap as it is mounted."""
    folder.mkdir(exist_ok=True)
    for name, text in helm.only(helm.render(values), "ConfigMap", helm.NAME)["data"].items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server


def test_ship_and_export_bring_a_nodes_month_to_finance_in_a_bucket(tmp_path: Path, s3: S3) -> None:
    """As rendered: the container beside the daemon ships, the CronJob exports, twice the same."""
    books, finance = s3.bucket("carbon-books"), s3.bucket("finance")
    config = '[node]\ncluster = "paris-1"\n[site.par1]\nzone = "FR"\n'
    values = {
        "config": config,
        "books": {"url": f"{books}/prod"},
        "ship": {"enabled": True},
        "export": {
            "enabled": True,
            "destination": f"{finance}/carbon",
            "month": "2026-10",
            "args": ["--group-by", "team"],
        },
    }
    node = Node(tmp_path)
    node.run(hours=48)
    files, tmp = config_files(values, tmp_path / "etc"), tmp_path / "tmp"
    tmp.mkdir()
    places = {"/etc/wattledger": files, "/var/lib/wattledger": node.state_dir, "/tmp": tmp}
    ship = helm.daemon(values).container("ship")
    ship = {**ship, "args": [word for word in ship["args"] if not word.startswith("--every")]}
    shipped = run(ship, places, s3.environ)
    assert (shipped.returncode, shipped.stderr) == (0, "")
    export = helm.only(helm.render(values), "CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][
        0
    ]
    first = run(export, places, s3.environ)
    assert first.returncode == 0, first.stderr
    names = [f"carbon/2026-10/wattledger-2026-10-draft.{ending}" for ending in ("csv", "json", "xlsx")]
    assert [line for line in first.stdout.splitlines() if line.startswith("written:")] == [
        f"written: {finance}/carbon/{name.partition('/')[2]}" for name in names
    ]
    store = open_store_of(s3, finance, tmp_path)
    assert [name for name, _ in store] == names
    again = run(export, places, s3.environ)
    assert again.returncode == 0
    assert "written:" not in again.stdout


def open_store_of(s3: S3, bucket: str, folder: Path) -> list[tuple[str, int]]:
    """Names in a bucket, read in a process with the server's variables."""
    code = (
        "import json, sys; from tracker.books.store import open_store; from pathlib import Path;"
        "print(json.dumps(list(open_store(sys.argv[1], Path(sys.argv[2])).names())))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, bucket, str(folder / "cache")],
        env={**os.environ, **s3.environ},
        capture_output=True,
        text=True,
        check=True,
    )
    return [(name, size) for name, size in json.loads(done.stdout)]


def test_export_without_anything_of_the_month_says_so_and_fails(tmp_path: Path) -> None:
    values = merged(helm.CLAIM, {"export": {"enabled": True, "destination": "/books/out", "month": "2026-10"}})
    export = helm.only(helm.render(values), "CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][
        0
    ]
    books, tmp = tmp_path / "books", tmp_path / "tmp"
    (books / "prod").mkdir(parents=True)
    tmp.mkdir()
    places = {"/etc/wattledger": config_files(values, tmp_path / "etc"), "/books": books, "/tmp": tmp}
    done = run(export, places, {})
    assert done.returncode == 1
    assert "have nothing of 2026-10" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((books / "out").rglob("*")) == []


@pytest.mark.parametrize(
    ("now", "timezone", "month"),
    [
        (datetime(2026, 11, 1, 5, tzinfo=UTC), "UTC", "2026-10"),
        (datetime(2027, 1, 31, 23, 30, tzinfo=UTC), "UTC", "2026-12"),
        (datetime(2027, 1, 31, 23, 30, tzinfo=UTC), "Europe/Paris", "2027-01"),  # February has begun there
        (datetime(2026, 11, 1, 5, tzinfo=UTC), "America/Los_Angeles", "2026-09"),  # October has not ended there
    ],
)
def test_the_month_that_ended_last_is_that_of_the_books(now: datetime, timezone: str, month: str) -> None:
    assert script("export_month").previous_month(now, timezone) == month


def test_a_draft_is_replaced_and_a_sealed_statement_never(tmp_path: Path) -> None:
    put, store = script("export_month").put, open_store(str(tmp_path / "out"), create=True)
    assert put(store, "m/w-draft.csv", b"one") == "written"
    assert put(store, "m/w-draft.csv", b"one") == "unchanged"
    assert put(store, "m/w-draft.csv", b"two") == "replaced"
    assert store.read("m/w-draft.csv") == b"two"
    assert put(store, "m/w-v1.csv", b"one") == "written"
    with pytest.raises(WattledgerError, match="says something else"):
        put(store, "m/w-v1.csv", b"two")
    assert store.read("m/w-v1.csv") == b"one"


def test_helm_test_and_the_probes_are_answered_by_a_real_daemon(tmp_path: Path) -> None:
    """What the kubelet and ``helm test`` will ask is asked of a daemon that is started as the chart does."""
    values = {"daemon": {"demo": True}}
    container, pod = helm.daemon(values).container("wattledger"), helm.only(helm.render(values), "Pod")
    files = config_files(values, tmp_path / "etc")
    args = [moved(word, {"/etc/wattledger": files}) for word in container["args"]]
    args = [word for word in args if not word.startswith(("--state-dir", "--listen"))]  # those of the harness
    with Daemon(tmp_path / "state", *args, env=helm.environ(container)) as daemon:
        daemon.wait_ready()
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert daemon.get(container[probe]["httpGet"]["path"])[0] == 200
        test = pod["spec"]["containers"][0]
        service = test["args"][1]
        asked = {**test, "args": [word.replace(service, daemon.url) for word in test["args"]]}
        done = run(asked, {}, {})
        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 of 1 nodes are well"), done.stdout


def test_the_portal_starts_as_rendered_and_asks_for_a_token(tmp_path: Path) -> None:
    values = merged(helm.CLAIM, {"portal": {"enabled": True, "tokenSecret": "tokens"}})
    container = helm.only(helm.render(values), "Deployment")["spec"]["template"]["spec"]["containers"][0]
    tokens, books = tmp_path / "tokens", tmp_path / "books"
    tokens.mkdir()
    (tokens / "tokens").write_text("0123456789abcdef0123456789abcdef  # finance\n", encoding="utf-8")
    (books / "prod").mkdir(parents=True)
    places = {
        "/etc/wattledger": config_files(values, tmp_path / "etc"),
        "/run/secrets/portal-tokens": tokens,
        "/tmp": tmp_path,
    }
    served = Served(tmp_path, books / "prod")
    args = [moved(word, places) for word in container["args"] if not word.startswith("--listen")]
    assert helm.environ(container)["WATTLEDGER_BOOKS__URL"] == "/books/prod"
    served.command = [COMMAND, "serve", *args, "--listen=127.0.0.1:0", f"--books={books / 'prod'}"]
    with served:
        assert served.get("/")[0] == 401
        allowed = served.get("/", {"Authorization": "Bearer 0123456789abcdef0123456789abcdef"})
        assert allowed[0] == 200


def test_helm_test_names_the_node_that_is_not_well() -> None:
    check = script("check_nodes")
    assert check.trouble_of("127.0.0.1", 9, "http", "metrics").startswith("does not answer")
    assert check.trouble_of("127.0.0.1", 9, "http", "port").startswith("does not answer")


@pytest.mark.needs("root", "unshare")  # setpriv comes with unshare
def test_root_without_any_capability_reads_what_the_kernel_keeps_for_root(tmp_path: Path) -> None:
    """The pod's privileges, given to a real process: uid 0, nothing in any capability set, no new privileges. CPU
    energy (0400, root) is measured, not modelled: no capability has to be added."""
    container = helm.daemon().container("wattledger")
    assert "add" not in container["securityContext"]["capabilities"]
    machine = Machine.xeon(tmp_path / "machine")
    try:
        for path in machine.sysfs.rglob("energy_uj"):
            path.chmod(0o400)
        places = {
            "/etc/wattledger": config_files({}, tmp_path / "etc"),
            "/host/sys": machine.sysfs,
            "/tmp": tmp_path,
        }
        # as "kubectl exec" asks: a plain command; only the file's place is another here
        check = {
            **container,
            "command": ["wattledger", "check"],
            "args": ["--json", "--config=/etc/wattledger/config.toml"],
        }
        caps = ["--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs"]
        done = run(check, places, {"XDG_STATE_HOME": str(tmp_path)}, ["setpriv", *caps])
    finally:
        machine.close()
    assert done.returncode == 0, done.stdout + done.stderr
    booked = json.loads(done.stdout)["booked"]
    measured = {each["component"] for each in booked if each["method"] == "measured"}
    assert "cpu" in measured

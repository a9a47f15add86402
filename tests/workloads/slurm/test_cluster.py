"""A real Slurm: two jobs share a node, a GPU each; our prolog and epilog run around them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.slurm import Cluster, can_run, until
from tests.workloads.slurm.rig import Work, resolver_for, scripts
from tests.workloads.world import cpu, dram
from tracker import clock
from tracker.core.model import Kind, Level
from tracker.sysfs import Roots
from tracker.workloads.observer import CgroupObserver

pytestmark = [pytest.mark.needs("root", "slurm"), pytest.mark.timeout(200)]
GAMES, NOBODY = 5, 65534


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if not can_run():
        pytest.skip("Debian's Slurm needs the v1 cgroup controllers, which are not mounted here")
    with Cluster.start(scripts) as made:
        yield made


@pytest.fixture(autouse=True)
def _no_job_is_left(cluster: Cluster) -> Iterator[None]:
    """Whatever a test did, the next one finds an empty node."""
    yield
    cluster.clear()


@pytest.fixture
def jobs(cluster: Cluster) -> tuple[Work, Work]:
    """Two users' jobs on one node."""
    one = Work(cluster, "--gres=gpu:1", "--account=nlp", "--job-name=train me", "--partition=long")
    two = Work(cluster, "--gres=gpu:1", "--account=vision", "--job-name=infer", "--partition=all", user="nobody")
    return one.wait(), two.wait()


def test_both_jobs_are_named_by_prolog_and_environment(cluster: Cluster, jobs: tuple[Work, Work]) -> None:
    """The scheduler is not asked at all: the name comes from the job's own environment."""
    one, two = jobs
    resolver = resolver_for(cluster, scontrol="/nonexistent", squeue="/nonexistent")
    resolver.turn(clock.now())
    observer = CgroupObserver(Roots(), resolvers=[resolver])
    seen = observer.observe(clock.now(), {})
    found = {share.workload.key: share.workload for share in seen.dram if share.workload.kind is Kind.SLURM}
    labels = {key: (w.name, w.user, w.project, w.queue, w.job) for key, w in found.items()}
    assert labels[one.key] == ("train me", "games", "nlp", "long", one.id)
    assert labels[two.key] == ("infer", "nobody", "vision", "all", two.id)
    assert resolver.attributes(two.key) == {"account": "vision", "partition": "all"}
    assert {a.workload.key: a.device for a in resolver.allocations()} == {one.key: "index:0", two.key: "index:1"}
    assert [finding.message for finding in resolver.check() if finding.level is not Level.OK] == []
    observer.close()


@pytest.mark.parametrize("lacking", ["environ", "files"])
def test_both_jobs_are_named_by_the_scheduler(cluster: Cluster, jobs: tuple[Work, Work], lacking: str) -> None:
    """Without rights to read environments, and without prolog."""
    one, two = jobs
    options = {"environ": False} if lacking == "environ" else {"environ": False, "jobs_dir": "/nonexistent"}
    resolver = resolver_for(cluster, **options)
    resolver.turn(clock.now())
    bare = {allocation.workload.key: allocation.workload for allocation in resolver.allocations()}
    assert (bare[one.key].name, bare[one.key].user, bare[one.key].project) == ("train me", "games", "nlp")
    assert (bare[two.key].name, bare[two.key].user, bare[two.key].project) == ("infer", "nobody", "vision")
    assert {a.workload.key: a.device for a in resolver.allocations()} == {one.key: "index:0", two.key: "index:1"}


def test_both_jobs_are_named_by_their_environment_alone(cluster: Cluster, jobs: tuple[Work, Work]) -> None:
    one, two = jobs
    resolver = resolver_for(cluster, ask=False, jobs_dir="/nonexistent")
    resolver.turn(clock.now())
    held = {a.workload.key: (a.device, a.workload.user, a.workload.project) for a in resolver.allocations()}
    assert held == {one.key: ("index:0", "games", "nlp"), two.key: ("index:1", "nobody", "vision")}


def test_cpu_time_and_memory_go_to_the_job_that_used_them(cluster: Cluster, jobs: tuple[Work, Work]) -> None:
    one, two = jobs
    observer = CgroupObserver(Roots(), resolvers=[])
    observer.observe(clock.now(), {})
    before = one.cpu_us(GAMES), two.cpu_us(NOBODY)
    one.burn(900_000)
    two.burn(300_000)
    after = one.cpu_us(GAMES), two.cpu_us(NOBODY)
    seen = observer.observe(clock.now(), {})
    used = after[0] - before[0], after[1] - before[1]
    assert abs(cpu(seen)[one.key] - used[0]) < 20_000
    assert abs(cpu(seen)[two.key] - used[1]) < 20_000
    assert used[0] > 2 * used[1] > 0
    assert dram(seen)[one.key] > 0
    observer.close()


def test_a_job_that_ends_between_two_ticks_keeps_its_name(cluster: Cluster) -> None:
    """Its last CPU time arrives when neither cgroup nor processes are left."""
    job = Work(cluster, "--account=nlp", "--job-name=short").wait()
    resolver = resolver_for(cluster)
    observer = CgroupObserver(Roots(), resolvers=[resolver])
    resolver.turn(clock.now())
    observer.observe(clock.now(), {})
    job.burn(100_000)
    job.end()
    until(lambda: not (cluster.cgroups() / f"uid_{GAMES}" / f"job_{job.id}").exists(), "its cgroup went")
    seen = {share.workload.key: share.workload for share in observer.observe(clock.now(), {}).cpu}
    assert (seen[job.key].name, seen[job.key].user) == ("short", "games")
    ended = cluster.root / "run" / "jobs" / f"{job.id}.{cluster.nodes[0]}.json.ended"
    until(ended.exists, "the epilog marked its file")
    resolver.turn(clock.now())
    assert resolver.allocations() == ()
    observer.close()


def test_steps_belong_to_their_job(cluster: Cluster) -> None:
    """A srun inside a batch script."""
    script = "srun --ntasks=1 sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; sleep 60'"
    conf = f"export SLURM_CONF={cluster.env['SLURM_CONF']}\n"
    job = cluster.submit(conf + script, user="games", options=["--account=nlp"])
    step = cluster.cgroups() / f"uid_{GAMES}" / f"job_{job}" / "step_0"
    until(step.exists, f"the step started\n{cluster.logs()}")
    observer = CgroupObserver(Roots(), resolvers=[])
    observer.observe(clock.now(), {})
    until(lambda: int((step / "cpuacct.usage").read_text()) > 50_000_000, "the step worked")
    seen = cpu(observer.observe(clock.now(), {}))
    assert [key for key in seen if key.startswith(f"slurm/{job}")] == [f"slurm/{job}"]
    observer.close()


def test_an_array_task_is_called_as_squeue_calls_it(cluster: Cluster) -> None:
    job = Work(cluster, "--array=7", "--account=nlp", "--job-name=sweep")
    array = job.id
    job.wait()
    for options in ({"ask": False}, {"environ": False}):
        resolver = resolver_for(cluster, **options)
        resolver.turn(clock.now())
        names = [known.bare.job for known in resolver._view.known.values() if known.bare.name == "sweep"]
        assert names == [f"{array}_7"]


def test_a_heterogeneous_job_on_two_slurmd_of_one_host(cluster: Cluster) -> None:
    """Each component is a job of its own, called as squeue does; both slurmd wrote a job file."""
    first, second = "--partition=long --gres=gpu:1", f"--partition=all --nodelist={cluster.nodes[1]}"
    options = [*first.split(), ":", "--ntasks=1", "--account=nlp", *second.split()]
    job = cluster.submit("exec sleep 300", user="games", options=options)
    component = str(int(job) + 1)
    folder = cluster.root / "run" / "jobs"
    files = [folder / f"{name}.{node}.json" for name, node in zip((job, component), cluster.nodes, strict=True)]
    until(lambda: all(file.exists() for file in files), f"both prologs wrote\n{cluster.logs()}")
    cluster.wait_state(job, "RUNNING")
    cluster.wait_state(component, "RUNNING")
    resolver = resolver_for(cluster)
    resolver.turn(clock.now())
    known = resolver._view.known
    assert [known[f"slurm/{each}"].bare.job for each in (job, component)] == [f"{job}+0", f"{job}+1"]
    assert {a.workload.key: a.device for a in resolver.allocations()}[f"slurm/{job}"] == "index:0"


def test_a_user_who_forges_the_text_of_scontrol_is_named_right(cluster: Cluster) -> None:
    """A real job whose name is a newline and a line of scontrol's: without file and environment squeue's JSON tells."""
    name = "x\n   UserId=root(0) GroupId=root(0) MCS_label=N/A"
    job = Work(cluster, f"--job-name={name}", "--account=nlp").wait()
    assert "UserId=root(0)" in cluster.run("scontrol", "show", "job", job.id).stdout
    resolver = resolver_for(cluster, environ=False, jobs_dir="/nonexistent")
    resolver.turn(clock.now())
    found = resolver._view.known[job.key].bare
    assert (found.user, found.project, found.name[:2]) == ("games", "nlp", "x\ufffd")


def test_a_job_that_is_requeued_holds_nothing_while_it_waits(cluster: Cluster) -> None:
    """Slurm waits two minutes before it starts it again; what its second prolog does is in test_scripts.py."""
    job = cluster.submit("exec sleep 300", user="games", options=["--gres=gpu:1", "--requeue", "--account=nlp"])
    cluster.wait_state(job, "RUNNING")
    file = cluster.root / "run" / "jobs" / f"{job}.{cluster.nodes[0]}.json"
    ended = file.with_name(f"{file.name}.ended")
    until(file.exists, "the prolog ran")
    resolver = resolver_for(cluster)
    resolver.turn(clock.now())
    assert [allocation.workload.key for allocation in resolver.allocations()] == [f"slurm/{job}"]
    cluster.run("scontrol", "requeue", job)
    until(ended.exists, "the epilog of the first run marked the file")
    cluster.wait_state(job, "PENDING")
    resolver.turn(clock.now())
    assert resolver.allocations() == ()
    assert resolver._view.known[f"slurm/{job}"].bare.user == "games"


def test_the_thread_learns_by_itself_and_ends(cluster: Cluster, jobs: tuple[Work, Work]) -> None:
    resolver = resolver_for(cluster)
    resolver.start()
    until(lambda: len(resolver.allocations()) == 2, "both jobs were learned")
    resolver.close()
    assert not resolver._learner.alive
    resolver.close()

"""Every form of cgroup path that is known from kubelets, engines, schedulers and systemd, one literal per line."""

from __future__ import annotations

import pytest

from tracker.core.model import Kind
from tracker.workloads.interface import Identity
from tracker.workloads.paths import identify, identify_process, is_nursery, unescape

UID = "b1d0c5e4-5c5c-4a6f-9d0e-1f2a3b4c5d6e"
UID_ = "b1d0c5e4_5c5c_4a6f_9d0e_1f2a3b4c5d6e"
OTHER = "0a0b0c0d-1111-2222-3333-444455556666"
OTHER_ = "0a0b0c0d_1111_2222_3333_444455556666"
STATIC = "f1a3b5c7d9e0f1a3b5c7d9e0f1a3b5c7"
ID = "a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90"
ID2 = "0000000000000000000000000000000000000000000000000000000000000abc"
SLUID = "s5K1KKYAYG5D00"


def pod(uid: str, qos: str, container: str = "", runtime: str = "") -> Identity:
    return Identity(Kind.POD, f"pod/{uid}", pod_uid=uid, container_id=container, runtime=runtime, qos=qos)


def box(container: str, runtime: str, user: str = "") -> Identity:
    return Identity(Kind.CONTAINER, f"container/{container}", container_id=container, runtime=runtime, user_id=user)


def job(number: str, step: str = "", node: str = "", user: str = "", task: str = "") -> Identity:
    extra = {"slurm_task": task} if task else {}
    return Identity(
        Kind.SLURM, f"slurm/{number}", slurm_job=number, slurm_step=step, slurm_node=node, user_id=user, extra=extra
    )


def unit(name: str) -> Identity:
    return Identity(Kind.UNIT, f"unit/{name}", unit=name)


def user(number: str) -> Identity:
    return Identity(Kind.USER, f"user/{number}", user_id=number)


SYSTEM = Identity(Kind.SYSTEM, "system")
RELATIVE = Identity(Kind.UNATTRIBUTED, "unattributed")
SLICE = "/kubepods.slice/kubepods-burstable.slice"
KIND = f"/system.slice/docker-{ID2}.scope/kubelet.slice/kubelet-kubepods.slice"
HOME = "/user.slice/user-1000.slice/user@1000.service"

TABLE = [
    # kubelet with the systemd driver
    (f"{SLICE}/kubepods-burstable-pod{UID_}.slice", pod(UID, "burstable")),
    (
        f"{SLICE}/kubepods-burstable-pod{UID_}.slice/cri-containerd-{ID}.scope",
        pod(UID, "burstable", ID, "containerd"),
    ),
    (
        f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{UID_}.slice/crio-{ID}.scope",
        pod(UID, "besteffort", ID, "crio"),
    ),
    (f"/kubepods.slice/kubepods-pod{UID_}.slice/crio-{ID}.scope", pod(UID, "guaranteed", ID, "crio")),
    (f"/kubepods.slice/kubepods-pod{UID_}.slice/crio-{ID}.scope/container", pod(UID, "guaranteed", ID, "crio")),
    (f"/kubepods.slice/kubepods-pod{UID_}.slice/crio-conmon-{ID}.scope", pod(UID, "guaranteed")),
    (f"/kubepods.slice/kubepods-pod{UID_}.slice/docker-{ID}.scope", pod(UID, "guaranteed", ID, "docker")),
    # kubelet with the cgroupfs driver
    (f"/kubepods/burstable/pod{UID}", pod(UID, "burstable")),
    (f"/kubepods/burstable/pod{UID}/{ID}", pod(UID, "burstable", ID)),
    (f"/kubepods/besteffort/pod{UID}/{ID}", pod(UID, "besteffort", ID)),
    (f"/kubepods/pod{UID}/{ID}", pod(UID, "guaranteed", ID)),
    (f"/kubepods/pod{UID}/crio-{ID}", pod(UID, "guaranteed", ID, "crio")),
    # static pods
    (f"/kubepods/burstable/pod{STATIC}/{ID}", pod(STATIC, "burstable", ID)),
    (
        f"{SLICE}/kubepods-burstable-pod{STATIC}.slice/cri-containerd-{ID}.scope",
        pod(STATIC, "burstable", ID, "containerd"),
    ),
    # containerd takes the kubelet's systemd notation as a path
    (
        f"/system.slice/containerd.service/kubepods-burstable-pod{UID_}.slice:cri-containerd:{ID}",
        pod(UID, "burstable", ID, "containerd"),
    ),
    (
        f"/system.slice/containerd.service/kubepods-pod{UID_}.slice:cri-containerd:{ID}",
        pod(UID, "guaranteed", ID, "containerd"),
    ),
    (f"/kubepods-besteffort-pod{UID_}.slice:cri-containerd:{ID}", pod(UID, "besteffort", ID, "containerd")),
    # a kubelet in a container (kind): the inner pod wins
    (
        f"{KIND}/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod{UID_}.slice/cri-containerd-{ID}.scope",
        pod(UID, "besteffort", ID, "containerd"),
    ),
    (f"/docker/{ID2}/kubelet/kubepods/burstable/pod{UID}/{ID}", pod(UID, "burstable", ID)),
    (f"/system.slice/docker-{ID2}.scope/kubelet.slice/kubelet.service", box(ID2, "docker")),
    # a kubelet in a pod: the inner pod wins; a container in a pod is the pod's
    (f"/kubepods/burstable/pod{OTHER}/{ID2}/kubepods/besteffort/pod{UID}/{ID}", pod(UID, "besteffort", ID)),
    (f"/kubepods/burstable/pod{OTHER}/{ID2}/docker/{ID}", pod(OTHER, "burstable", ID, "docker")),
    # engines
    (f"/docker/{ID}", box(ID, "docker")),
    (f"/system.slice/docker-{ID}.scope", box(ID, "docker")),
    (f"/system.slice/docker-{ID}.scope/init.scope", box(ID, "docker")),
    (f"/docker/{ID2}/docker/{ID}", box(ID, "docker")),
    (f"/machine.slice/libpod-{ID}.scope", box(ID, "podman")),
    (f"/machine.slice/libpod-{ID}.scope/container", box(ID, "podman")),
    (f"/machine.slice/machine-libpod_pod_{ID2}.slice/libpod-{ID}.scope", box(ID, "podman")),
    (f"/libpod_parent/libpod-{ID}", box(ID, "podman")),
    (f"/machine.slice/libpod-{ID}.scope/libpod-payload-{ID}", box(ID, "podman")),
    (f"/system.slice/crio-{ID}.scope", box(ID, "crio")),
    (f"/system.slice/nerdctl-{ID}.scope", box(ID, "nerdctl")),
    (f"/default/{ID}", box(ID, "")),
    (f"/machine.slice/libpod-conmon-{ID}.scope", unit(f"libpod-conmon-{ID}.scope")),
    # engines of users
    (f"{HOME}/user.slice/libpod-{ID}.scope/container", box(ID, "podman", "1000")),
    (f"{HOME}/user.slice/libpod-{ID}.scope/libpod-payload-{ID}", box(ID, "podman", "1000")),
    (f"{HOME}/app.slice/docker-{ID}.scope", box(ID, "docker", "1000")),
    (f"{HOME}/user.slice/podman-4711.scope", user("1000")),
    # Slurm, cgroup v1
    ("/slurm/uid_1000/job_211", job("211", user="1000")),
    ("/slurm/uid_1000/job_211/step_0/task_1", job("211", "0", user="1000", task="1")),
    ("/slurm_vm/uid_0/job_1/step_batch/task_0", job("1", "batch", "vm", "0", "0")),
    ("/slurm_gpu-01/uid_1000/job_7/step_extern", job("7", "extern", "gpu-01", "1000")),
    # Slurm, cgroup v2
    ("/system.slice/slurmstepd.scope/job_211", job("211")),
    ("/system.slice/slurmstepd.scope/job_211/step_0/user/task_0", job("211", "0", task="0")),
    ("/system.slice/slurmstepd.scope/job_211/step_batch/slurm", job("211", "batch")),
    (
        "/system.slice/slurmstepd.scope/job_211/step_interactive/user/task_special",
        job("211", "interactive", task="special"),
    ),
    ("/system.slice/gpu01_slurmstepd.scope/job_211/step_extern/user/task_0", job("211", "extern", "gpu01", task="0")),
    ("/system.slice/slurmstepd.scope/system", SYSTEM),
    ("/system.slice/slurmd.service", unit("slurmd.service")),
    # Slurm 26.05: SLUIDs (reported, not verified)
    (f"/system.slice/slurmstepd.scope/{SLUID}/step_0/user/task_0", job(SLUID, "0", task="0")),
    (f"/system.slice/slurmstepd.scope/job_{SLUID}/step_batch", job(SLUID, "batch")),
    # Slurm with containers, Slurm inside a pod
    (
        f"/system.slice/slurmstepd.scope/job_9/step_0/user/docker-{ID}.scope",
        Identity(
            Kind.SLURM,
            "slurm/9",
            container_id=ID,
            runtime="docker",
            slurm_job="9",
            slurm_step="0",
        ),
    ),
    (
        f"{SLICE}/kubepods-burstable-pod{UID_}.slice/cri-containerd-{ID}.scope/system.slice/slurmstepd.scope/job_9/step_0",
        job("9", "0"),
    ),
    # OAR
    ("/oar/alice_4242", Identity(Kind.SLURM, "oar/4242", runtime="oar", extra={"oar_job": "4242", "user": "alice"})),
    (
        "/oar.slice/oar-u1000.slice/oar-u1000-j4242",
        Identity(Kind.SLURM, "oar/4242", runtime="oar", user_id="1000", extra={"oar_job": "4242"}),
    ),
    # virtual machines
    (r"/machine.slice/machine-qemu\x2d3\x2dinstance\x2d0000000a.scope", box("instance-0000000a", "qemu")),
    (r"/machine.slice/machine-qemu\x2d3\x2dinstance-0000000a.scope/libvirt/emulator", box("instance-0000000a", "qemu")),
    ("/machine/qemu-3-web.libvirt-qemu", box("web", "qemu")),
    # systemd
    ("/system.slice/nginx.service", unit("nginx.service")),
    ("/system.slice/nginx.service/worker", unit("nginx.service")),
    ("/system.slice/system-getty.slice/getty@tty1.service", unit("getty@tty1.service")),
    ("/ml.slice/ml-train.slice/train.service", unit("train.service")),
    (r"/system.slice/dev\x2dfoo.service", unit(r"dev\x2dfoo.service")),
    ("/init.scope", unit("init.scope")),
    ("/system.slice/run-r0123456789abcdef.scope", unit("run-r0123456789abcdef.scope")),
    ("/machine.slice/systemd-nspawn@x.service/payload/system.slice/nginx.service", unit("systemd-nspawn@x.service")),
    # users
    ("/user.slice/user-1000.slice", user("1000")),
    ("/user.slice/user-1000.slice/session-3.scope", user("1000")),
    (f"{HOME}/app.slice/app-code.slice/app-code-9.scope", user("1000")),
    (f"{HOME}/init.scope", user("1000")),
    (
        f"{HOME}/app.slice/run-r0123.scope",
        Identity(Kind.UNIT, "unit/user@1000/run-r0123.scope", user_id="1000", unit="run-r0123.scope"),
    ),
    # users may not pose as others
    (f"{HOME}/kubepods/burstable/pod{UID}/{ID}", box(ID, "", "1000")),
    (f"{HOME}/slurmstepd.scope/job_211/step_0", user("1000")),
    (
        f"{HOME}/app.slice/run-x.scope/slurm/uid_0/job_1",
        Identity(Kind.UNIT, "unit/user@1000/run-x.scope", user_id="1000", unit="run-x.scope"),
    ),
    # nothing of weight
    ("/", SYSTEM),
    ("", SYSTEM),
    ("/user.slice", SYSTEM),
    ("/system.slice", SYSTEM),
    ("/kubepods.slice", SYSTEM),
    (SLICE, SYSTEM),
    ("/slurm/uid_1000", SYSTEM),
    ("/system.slice/slurmstepd.scope", SYSTEM),
    ("/process_api/0b05a7a7a2111136deaadd957412016f", SYSTEM),
    (f"/pod{UID}", SYSTEM),  # no kubelet made this
    (f"/docker/{ID[:-1]}", SYSTEM),
    (f"/docker/{ID}f", SYSTEM),
    ("/system.slice/job_211/step_0", SYSTEM),
    # seen from inside a cgroup namespace
    ("/../..", RELATIVE),
    ("/../../init.scope", RELATIVE),
    (f"/../../kubepods-besteffort-pod{UID_}.slice/cri-containerd-{ID}.scope", pod(UID, "besteffort", ID, "containerd")),
    (f"/../../pod{UID}/{ID}", pod(UID, "guaranteed", ID)),
    (f"/../cri-containerd-{ID}.scope", box(ID, "containerd")),
    ("/../../../system.slice/nginx.service", unit("nginx.service")),
    ("/../../../user.slice/user-1000.slice/session-3.scope", user("1000")),
]


@pytest.mark.parametrize(("path", "identity"), TABLE, ids=[path[:100] or "empty" for path, _ in TABLE])
def test_path(path: str, identity: Identity) -> None:
    assert identify(path) == identity


PROCESS_TABLE = [
    (
        "v2",
        f"0::{SLICE}/kubepods-burstable-pod{UID_}.slice/cri-containerd-{ID}.scope\n",
        pod(UID, "burstable", ID, "containerd"),
    ),
    ("v2 root", "0::/\n", SYSTEM),
    ("v2 in a namespace", "0::/../../init.scope\n", RELATIVE),
    ("v2 removed cgroup", f"0::/docker/{ID} (deleted)\n", box(ID, "docker")),
    (
        "colons in the path",
        f"0::/system.slice/containerd.service/kubepods-pod{UID_}.slice:cri-containerd:{ID}\n",
        pod(UID, "guaranteed", ID, "containerd"),
    ),
    (
        "v1",
        "12:pids:/slurm/uid_1000/job_211\n9:cpu,cpuacct:/slurm/uid_1000/job_211/step_0/task_0\n1:name=systemd:/x.service\n",
        job("211", "0", user="1000", task="0"),
    ),
    (
        "hybrid: the container is in v1, v2 knows the service",
        f"9:memory:/docker/{ID}\n4:cpu,cpuacct:/docker/{ID}\n1:name=systemd:/docker/{ID}\n0::/system.slice/containerd.service\n",
        box(ID, "docker"),
    ),
    (
        "hybrid: v1 only knows the slice, v2 the session",
        "9:memory:/user.slice\n4:cpu,cpuacct:/user.slice\n0::/user.slice/user-1000.slice/session-1.scope\n",
        user("1000"),
    ),
    ("hybrid without anything", "9:name=systemd:/\n4:memory:/process_api/0b05\n2:cpuacct:/\n0::/\n", SYSTEM),
    ("no text", "", SYSTEM),
    ("garbage", "nonsense\n::\n:::\n7:x\n", SYSTEM),
]


@pytest.mark.parametrize(
    ("text", "identity"), [row[1:] for row in PROCESS_TABLE], ids=[row[0] for row in PROCESS_TABLE]
)
def test_process(text: str, identity: Identity) -> None:
    assert identify_process(text) == identity


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/kubepods.slice", True),
        (SLICE, True),
        ("/kubepods", True),
        ("/kubepods/burstable", True),
        (f"/docker/{ID}/kubelet/kubepods/besteffort", True),
        ("/docker", True),
        ("/machine.slice", True),
        ("/slurm", True),
        ("/slurm_vm/uid_0", True),
        ("/system.slice/slurmstepd.scope", True),
        ("/system.slice/gpu01_slurmstepd.scope", True),
        ("/oar", True),
        ("/oar.slice/oar-u1000.slice", True),
        ("", False),
        ("/system.slice", False),
        ("/user.slice/user-1000.slice", False),
        (f"/kubepods/burstable/pod{UID}", False),
        (f"{SLICE}/kubepods-burstable-pod{UID_}.slice", False),
        (f"/docker/{ID}", False),
        ("/uid_0", False),
        ("/burstable", False),
    ],
)
def test_nursery(path: str, *, expected: bool) -> None:
    """Time of work that was born and died in such a folder between two ticks was somebody's, not the system's."""
    assert is_nursery(path) is expected


@pytest.mark.parametrize(
    ("escaped", "name"),
    [
        (r"dev\x2dfoo.service", "dev-foo.service"),
        (r"a\x20b\x5cc.scope", r"a b\c.scope"),
        (r"plain.service", "plain.service"),
        (r"caf\xc3\xa9.service", r"caf\xc3\xa9.service"),
        (r"broken\x2.service", r"broken\x2.service"),
    ],
)
def test_unit_names_are_decoded_for_people(escaped: str, name: str) -> None:
    assert unescape(escaped) == name

r"""What ``scontrol`` and ``squeue`` say about jobs: text in, facts out. Nothing is run here.

Two forms. JSON (squeue since 21.08, scontrol since 23.02): fields were renamed and numbers wrapped
(``{"set": true, "number": 5}``) over the years, both are read. Text (``scontrol show job -d``, all versions): free
text of the user stands in it unquoted, so a job named "x\n   UserId=root(0)" looks like root's. A text that says
something twice is not believed at all.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import msgspec

from tracker.workloads.slurm.facts import Facts, cleaned, parse_indices
from tracker.workloads.slurm.hosts import expand

RUNNING = frozenset(
    {"RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING", "STAGE_OUT"}
)


class Ambiguous(ValueError):
    """The text can be read in more than one way."""


class _Number(msgspec.Struct):
    number: int | float = 0
    set: bool = True


_Int = int | _Number | None


class _Job(msgspec.Struct):
    job_id: _Int = None
    user_name: str | None = None
    account: str | None = None
    partition: str | None = None
    qos: str | None = None
    name: str | None = None
    array_job_id: _Int = None
    array_task_id: _Int = None
    het_job_id: _Int = None
    het_job_offset: _Int = None
    nodes: str | None = None
    gres_detail: list[str] | None = None
    job_state: str | list[str] | None = None


class _Answer(msgspec.Struct):
    jobs: list[_Job]


def parse_json(text: bytes, nodes: Collection[str]) -> dict[str, tuple[Facts, bool]]:
    """Job number -> (facts, is it on nodes now). ``nodes``: what Slurm calls this host. Raises ValueError."""
    try:
        answer = msgspec.json.decode(text, type=_Answer)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ValueError(f"no answer about jobs ({error})") from error
    return {str(_int(job.job_id)): _job_facts(job, nodes) for job in answer.jobs if _int(job.job_id)}


def _job_facts(job: _Job, nodes: Collection[str]) -> tuple[Facts, bool]:
    array_job, het_job = _int(job.array_job_id), _int(job.het_job_id)
    states = {job.job_state} if isinstance(job.job_state, str) else set(job.job_state or ())
    running = bool(states & RUNNING)
    facts = Facts(
        str(_int(job.job_id)),
        "",
        job.user_name or "",
        job.account or "",
        job.partition or "",
        job.qos or "",
        job.name or "",
        str(array_job) if array_job else "",
        _text(job.array_task_id) if array_job else "",
        str(het_job) if het_job else "",
        _text(job.het_job_offset) if het_job else "",
        _gpus_here(expand(job.nodes or ""), job.gres_detail, nodes) if running else None,
    )
    return cleaned(facts), running


def _int(value: _Int) -> int | None:
    if isinstance(value, _Number):
        return int(value.number) if value.set else None
    return value


def _text(value: _Int) -> str:
    number = _int(value)
    return "" if number is None else str(number)


def _gpus_here(on: Sequence[str], detail: Sequence[str] | None, nodes: Collection[str]) -> tuple[str, ...] | None:
    """``detail`` has an entry per node in the order of the node list; none at all for a job without GRES."""
    if not detail:
        return None if detail is None else ()
    if len(detail) == 1 and len(on) == 1:
        return parse_gres(detail[0])  # it runs here, so this is the node
    if len(detail) != len(on):
        return None
    mine = [parse_gres(gres) for name, gres in zip(on, detail, strict=True) if name in nodes]
    return tuple(dict.fromkeys(gpu for gpus in mine for gpu in gpus)) if mine else None


_GRES = re.compile(r"(?:^|,)(gpu|mps|shard)(?::[^,()]*)?\(([^()]*)\)")


def parse_gres(text: str) -> tuple[str, ...]:
    """The GPUs in ``gpu:a100:2(IDX:0,3)``, also shared ones: ``shard:2(0/8,2/8)`` has a part of the second."""
    found: list[str] = []
    for _, inside in _GRES.findall(text):
        if inside.startswith("IDX:"):
            found += parse_indices(inside[4:])
            continue
        parts = [part.partition("/") for part in inside.split(",")]
        found += [
            str(index) for index, (used, slash, _) in enumerate(parts) if slash and used.isdecimal() and int(used)
        ]
    return tuple(dict.fromkeys(found))


_HEAD = re.compile(
    r"^JobId=(?P<job>\d+) (?:ArrayJobId=(?P<array_job>\d+) ArrayTaskId=(?P<array_task>\S+) )?"
    r"(?:ArrayTaskThrottle=\d+ )?"
    r"(?:HetJobId=(?P<het_job>\d+) HetJobOffset=(?P<het_offset>\d+) )?JobName=(?P<name>.*)$"
)
#: What each job says once: the beginning of its line, and the whole of it.
_ONCE = {
    "user": ("   UserId=", re.compile(r"   UserId=([^\s(]+)\(\d+\) ")),
    "account": ("   Priority=", re.compile(r"   Priority=.* Account=(\S+) QOS=(\S+)")),
    "state": ("   JobState=", re.compile(r"   JobState=(\S+) ")),
    "partition": ("   Partition=", re.compile(r"   Partition=(\S+) ")),
    "nodes": ("   NodeList=", re.compile(r"   NodeList=(\S*)")),
    "after nodes": ("   MinCPUsNode=", re.compile(r"   MinCPUsNode=")),
}
_ON_NODE = re.compile(r"^     Nodes=(\S+) CPU_IDs=\S* Mem=\S* GRES=(\S*)$")


def parse_show_job(text: str, job: str, nodes: Collection[str]) -> tuple[Facts, bool]:
    """The same from ``scontrol show job -d <job>``, which for the first task of an array shows the others too. ``job``
    may be an SLUID. Raises Ambiguous, or another ValueError when the job is not in it."""
    lines = _record(text.splitlines(), job)
    head, said = _HEAD.match(lines[0]), _said(lines, job)
    if head is None:
        raise Ambiguous(f"job {job} is described in an unknown form")
    state, user, account, partition = (said[name][1] for name in ("state", "user", "account", "partition"))
    running = state[1] in RUNNING
    per_node = lines[said["nodes"][0] + 1 : said["after nodes"][0]]
    facts = Facts(
        head["job"],
        "" if job.isdecimal() else job,
        user[1],
        _value(account[1]),
        _value(partition[1]),
        _value(account[2]),
        head["name"],
        head["array_job"] or "",
        head["array_task"] or "",
        head["het_job"] or "",
        head["het_offset"] or "",
        _gpus_on(per_node, nodes) if running else None,
    )
    return cleaned(facts), running


def _said(lines: Sequence[str], job: str) -> dict[str, tuple[int, re.Match[str]]]:
    """Each of the lines of ``_ONCE``, with its number."""
    said: dict[str, tuple[int, re.Match[str]]] = {}
    for number, line in enumerate(lines):
        for name, (beginning, pattern) in _ONCE.items():
            if line.startswith(beginning):
                match = pattern.match(line)
                if name in said or match is None:
                    raise Ambiguous(f"job {job} says {name} twice or oddly")
                said[name] = (number, match)
    if len(said) != len(_ONCE):
        raise Ambiguous(f"job {job} does not say {', '.join(_ONCE.keys() - said.keys())}")
    return said


def _record(lines: list[str], job: str) -> list[str]:
    """The lines about one job."""
    starts = [number for number, line in enumerate(lines) if line.startswith("JobId=")]
    mine = [number for number in starts if not job.isdecimal() or lines[number].startswith(f"JobId={job} ")]
    if not mine:
        raise ValueError(f"job {job} is not in the answer")
    if len(mine) > 1:
        raise Ambiguous(f"job {job} is in the answer {len(mine)} times")
    end = next((number for number in starts if number > mine[0]), len(lines))
    return lines[mine[0] : end]


def _gpus_on(lines: Sequence[str], nodes: Collection[str]) -> tuple[str, ...] | None:
    """From the lines per node. Nodes with the same CPUs and GRES share a line."""
    on = [(expand(match[1]), parse_gres(match[2])) for line in lines if (match := _ON_NODE.match(line))]
    if len(on) == 1 and len(on[0][0]) == 1:
        return on[0][1]
    mine = [gpus for names, gpus in on if set(names) & set(nodes)]
    return tuple(dict.fromkeys(gpu for gpus in mine for gpu in gpus)) if mine else None


def _value(text: str) -> str:
    return "" if text in {"(null)", "N/A"} else text

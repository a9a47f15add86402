"""Asks the scheduler about single jobs, as seldom as can be: every question is work for the controller of the cluster.

``scontrol show job`` about one job is one small message to the controller. ``squeue --json`` makes it send every job
there is; it is the last resort, for jobs whose text is ambiguous and where there is no scontrol.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence

from tracker.workloads.slurm.answers import Ambiguous, parse_json, parse_show_job
from tracker.workloads.slurm.commands import AskFailed, run
from tracker.workloads.slurm.facts import Facts

MAX_JOBS = 16  # that are asked for in one round
DEADLINE_S = 5.0
MAX_BYTES_OF_JOB = 256 << 10
MAX_BYTES = 4 << 20  # of squeue: about a thousand jobs, and a bound on our memory
_MISSING = "scontrol and squeue are not installed here"

Answer = tuple[Facts, bool]  # what is known, and whether the job is on its nodes now


class Scheduler:
    """The commands of one cluster. ``trouble``: why the last round brought less than was asked for."""

    def __init__(self, scontrol: str, squeue: str, slurm_conf: str) -> None:
        self._scontrol, self._squeue = scontrol, squeue
        self._env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "SLURM_TIME_FORMAT": "%s"}
        conf = slurm_conf or os.environ.get("SLURM_CONF", "")
        if conf:
            self._env["SLURM_CONF"] = conf
        self._json = True  # until scontrol says that it knows no --json (before 23.02)
        self.trouble = ""

    def ask(self, names: Sequence[str], nodes: Collection[str]) -> Mapping[str, Answer | None]:
        """By number or SLUID. None: the scheduler does not know the job any more. Absent: no answer. Never raises."""
        found: dict[str, Answer | None] = {}
        left: list[str] = []
        self.trouble = ""
        for name in names[:MAX_JOBS]:
            try:
                found[name] = self._about(name, nodes)
            except Ambiguous:
                left.append(name)
            except FileNotFoundError:
                left = list(names)
                break
            except (AskFailed, ValueError) as error:
                self.trouble = f"{error}."
                break  # a controller that does not answer is not asked sixteen times
        numbers = [name for name in left if name.isdecimal()]
        if numbers:
            found.update(self._from_list(numbers, nodes))
        return found

    def _about(self, name: str, nodes: Collection[str]) -> Answer | None:
        """Raises AskFailed, ValueError, Ambiguous; FileNotFoundError: there is no scontrol."""
        if self._json and name.isdecimal():
            try:
                return parse_json(self._call(self._scontrol, "--json", "show", "job", name), nodes).get(name)
            except (AskFailed, ValueError) as error:
                if _is_unknown(error):
                    return None
                if isinstance(error, AskFailed) and error.said is None:
                    raise  # it did not even end
        try:
            text = self._call(self._scontrol, "show", "job", "-d", name).decode("utf-8", "replace")
        except AskFailed as error:
            if _is_unknown(error):
                return None
            raise
        self._json = False  # text works where JSON did not
        return parse_show_job(text, name, nodes)

    def _from_list(self, names: Sequence[str], nodes: Collection[str]) -> Mapping[str, Answer]:
        try:
            answers = parse_json(self._call(self._squeue, "--json"), nodes)
        except FileNotFoundError:
            self.trouble = f"{_MISSING}."
        except (AskFailed, ValueError) as error:
            self.trouble = f"{error}."
        else:
            return {name: answers[name] for name in names if name in answers}
        return {}

    def _call(self, command: str, *arguments: str) -> bytes:
        """Raises AskFailed, FileNotFoundError."""
        import shutil  # noqa: PLC0415 - only where jobs have to be asked for

        path = shutil.which(command)
        if path is None:
            raise FileNotFoundError(command)
        limit = MAX_BYTES_OF_JOB if command == self._scontrol else MAX_BYTES
        return run((path, *arguments), DEADLINE_S, limit, self._env)


def _is_unknown(error: Exception) -> bool:
    """``ESLURM_INVALID_JOB_ID`` of slurm_errno.c in words."""
    return isinstance(error, AskFailed) and error.said is not None and "Invalid job id" in error.said

"""Who keeps the GPU busy during a smoke test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from abc import ABC, abstractmethod


class Load(ABC):
    """A process that uses the GPU when told."""

    name: str

    @abstractmethod
    def start(self, pattern: str, seconds: float) -> int:
        """Begin ("burst": half a second on, half off; "steady"), for at most so long. The pid that uses the GPU."""

    @abstractmethod
    def stop(self) -> None:
        """End it. May be called twice."""


class FrameworkLoad(Load):
    """The best framework that is installed here, in a process of its own (``gpu_load.py``)."""

    def __init__(self, uuid: str, framework: str = "auto") -> None:
        self.name = framework
        self._env = {**os.environ, "CUDA_VISIBLE_DEVICES": uuid}
        self._child: subprocess.Popen[str] | None = None

    def start(self, pattern: str, seconds: float) -> int:
        command = [sys.executable, "-m", "tests.benchmarks.gpu_load", pattern, str(seconds), "--framework", self.name]
        child = self._child = subprocess.Popen(command, env=self._env, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        line = child.stdout.readline()
        if not line:
            raise SystemExit(f"The load could not be started (exit code {child.wait()}); see the line above.")
        self.name = json.loads(line)["framework"]  # the one that worked is used again
        return child.pid

    def stop(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.terminate()
        try:
            child.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()

# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What readers find: each finding says where it was found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PREPARES = "it runs once, before a release (such as migrations)"


@dataclass(frozen=True)
class Found:
    """A value and where it stands, such as `pyproject.toml` or `docker-compose.yml, service worker`."""

    value: Any
    where: str


@dataclass
class Process:
    """One entry of stack_processes. `questions` are what a person has to answer about it, `notes` what was left out."""

    name: str
    run: str
    where: str
    application: str = ""
    command: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    queues: list[str] = field(default_factory=list)
    concurrency: int = 0
    health: str = ""
    metrics: str = ""
    with_beat: bool = False
    notes: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)

    @property
    def family(self) -> str:
        """What two sources that describe the same part of an application have in common."""
        return {"uvicorn": "web", "gunicorn": "web"}.get(self.run, self.run)


@dataclass
class Findings:
    """What a reader of commands answers: processes, and what it could not recognise or leaves out."""

    processes: list[Process] = field(default_factory=list)
    services: dict[str, Found] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    questions: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def leave(self, where: str, why: str) -> None:
        """Say that a command is no process. What only prepares one is no question: a deployment does that in its own place."""
        (self.notes if why == PREPARES else self.questions).append(f"{where} is left out: {why}")

    def add(self, other: Findings) -> None:
        self.processes += other.processes
        self.services = other.services | self.services
        self.names = other.names | self.names
        self.questions += other.questions
        self.notes += other.notes

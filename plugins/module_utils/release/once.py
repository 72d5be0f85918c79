# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that run once for a release of the whole stack, on the coordinator. The journal there says which have run.

Its words, its variables, and the release with its artifact tell a command from others: the same release does not run it twice, in whatever
run. A command without an end in the journal was interrupted, so that it runs again. Nothing of a rollback undoes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.parity.stack.plugins.module_utils.masking import Mask, values_of
from ansible_collections.parity.stack.plugins.module_utils.release import commands, journal
from ansible_collections.parity.stack.plugins.module_utils.release.commands import Command, Place
from ansible_collections.parity.stack.plugins.module_utils.release.run import Run


@dataclass(frozen=True)
class Variables:
    """What a command gets: settings, and secrets that no message may hold."""

    environment: Mapping[str, object] = field(default_factory=dict)
    secrets: Mapping[str, object] = field(default_factory=dict, repr=False)


class ReleaseCommands:
    """The release commands of one release. `application` and `owner` are the environments of commands without and with `as_owner`."""

    def __init__(self, run: Run, release: str, sha256: str, *, application: Variables, owner: Variables) -> None:
        self.run = run
        self.release = release
        self.sha256 = sha256
        self.application = application
        self.owner = owner

    def key(self, command: Command) -> str:
        """What the journal knows a command by."""
        text = json.dumps([self.release, self.sha256, command.command, command.environment], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def due(self, wanted: Iterable[Command]) -> list[Command]:
        """The commands that have not run to their end."""
        states = journal.commands(self.run.plan.entries())
        return [command for command in wanted if states.get(self.key(command), {}).get("phase") != journal.COMMAND_FINISHED]

    def interrupted(self, wanted: Iterable[Command]) -> list[str]:
        """For each command that has begun and not ended, a sentence about it."""
        states = journal.commands(self.run.plan.entries())
        found = [(command, states.get(self.key(command), {})) for command in wanted]
        return [
            f"the release command `{command.shown}` began in run {entry['run']} at {entry['at']} and was interrupted: it runs again."
            for command, entry in found
            if entry.get("phase") == journal.COMMAND_BEGUN
        ]

    def apply(
        self, wanted: Iterable[Command], execute: commands.Execute | None = None, told: Callable[[str], None] = lambda words: None
    ) -> list[str]:
        """Run what is due, in order; returns the commands that ran. Raises ParityError for the first that fails."""
        wanted = list(wanted)
        self.run.refuse_ended_run()
        for words in self.interrupted(wanted):
            told(words)
        due = self.due(wanted)
        for command in due:
            self._run(command, execute)
        return [command.shown for command in due]

    def _run(self, command: Command, execute: commands.Execute | None) -> None:
        variables = self.owner if command.as_owner else self.application
        place = Place(self.run.layout.release(self.release), self.run.layout.build(self.release), self.run.host.user)
        self._note(journal.COMMAND_BEGUN, command)
        answer = commands.run(command, place, {**variables.environment, **variables.secrets}, execute)
        if answer[0] != 0:
            self._note(journal.COMMAND_FAILED, command)
            raise commands.failure("The release command", command, answer, self._hidden())
        self._note(journal.COMMAND_FINISHED, command)

    def _note(self, phase: str, command: Command) -> None:
        shown = Mask(values_of(self._hidden())).text(command.shown)
        self.run.note(phase, self.release, command=shown, key=self.key(command))

    def _hidden(self) -> list[object]:
        return [*self.application.secrets.values(), *self.owner.secrets.values()]

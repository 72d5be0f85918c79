# SPDX-License-Identifier: GPL-3.0-or-later
"""The state machine of a document: pure, and all of it in one table."""

from dataclasses import dataclass
from enum import Enum, StrEnum, auto


class State(StrEnum):
    """Where a document stands."""

    UPLOADED = "uploaded"
    PARSING = "parsing"
    PARSED = "parsed"
    CHUNKING = "chunking"
    CHUNKED = "chunked"
    EMBEDDING = "embedding"
    EMBEDDED = "embedded"
    COMPLETE = "complete"
    FAILED = "failed"


@dataclass(frozen=True)
class Stage:
    """One step of work: takes a document that is `ready`, holds it in `working`, leaves it `done`."""

    name: str
    ready: State
    working: State
    done: State


PARSE = Stage("parse", State.UPLOADED, State.PARSING, State.PARSED)
CHUNK = Stage("chunk", State.PARSED, State.CHUNKING, State.CHUNKED)
EMBED = Stage("embed", State.CHUNKED, State.EMBEDDING, State.EMBEDDED)
# Only checks what is there, hence no state of its own while it works.
COMPLETE = Stage("complete", State.EMBEDDED, State.EMBEDDED, State.COMPLETE)

STAGES = (PARSE, CHUNK, EMBED, COMPLETE)
WAITING = frozenset(stage.ready for stage in STAGES)
FINAL = frozenset({State.COMPLETE, State.FAILED})
TRANSITIONS = frozenset(
    (before, after)
    for stage in STAGES
    for before, after in (
        (stage.ready, stage.working),
        (stage.working, stage.done),
        (stage.working, State.FAILED),
    )
    if before != after
)


class Step(Enum):
    """What a task that has just been delivered should do."""

    WORK = auto()
    PASS_ON = auto()
    NOTHING = auto()


class IllegalTransition(Exception):
    """A transition the table does not know; always a mistake in the program."""


def check_transition(before: State, after: State) -> None:
    """Raise unless the table allows the transition."""
    if (before, after) not in TRANSITIONS:
        raise IllegalTransition(f"{before} -> {after}")


def decide(stage: Stage, state: State) -> Step:
    """What to do about a task for `stage` when the document is in `state`.

    Brokers deliver at least once, so a task may arrive while its stage is under way (a worker died: do it
    again), just done (a worker died before it told the next stage: pass on), or past (a duplicate: nothing).
    """
    if state in (stage.ready, stage.working):
        return Step.WORK
    return Step.PASS_ON if state == stage.done else Step.NOTHING


def stage_for(state: State) -> Stage | None:
    """The stage a document in this state waits for, or is in; none if the state is final."""
    return next((stage for stage in STAGES if state in (stage.ready, stage.working)), None)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The state machine as a table."""

import re

import pytest
from support import ROOT

from docpipe.states import (
    CHUNK,
    COMPLETE,
    EMBED,
    FINAL,
    PARSE,
    STAGES,
    TRANSITIONS,
    IllegalTransition,
    State,
    Step,
    check_transition,
    decide,
    stage_for,
)


def test_all_transitions() -> None:
    assert {f"{before} {after}" for before, after in TRANSITIONS} == {
        "uploaded parsing",
        "parsing parsed",
        "parsing failed",
        "parsed chunking",
        "chunking chunked",
        "chunking failed",
        "chunked embedding",
        "embedding embedded",
        "embedding failed",
        "embedded complete",
        "embedded failed",
    }


def test_nothing_leaves_a_final_state_and_every_other_state_is_left() -> None:
    assert {before for before, _ in TRANSITIONS} == set(State) - FINAL


@pytest.mark.parametrize("before", State)
@pytest.mark.parametrize("after", State)
def test_check_transition(before: State, after: State) -> None:
    if (before, after) in TRANSITIONS:
        check_transition(before, after)
    else:
        with pytest.raises(IllegalTransition, match=f"{before} -> {after}"):
            check_transition(before, after)


@pytest.mark.parametrize(
    ("stage", "work", "pass_on"),
    [
        (PARSE, {State.UPLOADED, State.PARSING}, State.PARSED),
        (CHUNK, {State.PARSED, State.CHUNKING}, State.CHUNKED),
        (EMBED, {State.CHUNKED, State.EMBEDDING}, State.EMBEDDED),
        (COMPLETE, {State.EMBEDDED}, State.COMPLETE),
    ],
)
def test_decide(stage, work, pass_on) -> None:
    for state in State:
        expected = Step.WORK if state in work else Step.PASS_ON if state is pass_on else Step.NOTHING
        assert decide(stage, state) is expected


def test_stage_for() -> None:
    order = [stage_for(state) for state in State if state not in FINAL]
    assert order == [PARSE, PARSE, CHUNK, CHUNK, EMBED, EMBED, COMPLETE]
    assert [stage_for(state) for state in FINAL] == [None, None]
    assert [stage_for(stage.done) for stage in STAGES] == [CHUNK, EMBED, COMPLETE, None]


def test_the_schema_knows_the_same_states() -> None:
    script = (ROOT / "supabase/migrations/20260101000001_documents.sql").read_text()
    listed = re.search(r"state IN \(([^)]*)\)", script)
    assert listed and set(re.findall(r"'(\w+)'", listed[1])) == set(State)

# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of people, as YAML and as AWX pass them on."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.filter.survey_answer import survey_answer


@pytest.mark.parametrize("default", [True, False])
@pytest.mark.parametrize("answer", ["", None, "  ", "maybe", 2, [], "nein"])
def test_any_other_answer_is_the_default(answer: object, default: bool) -> None:
    assert survey_answer(answer, default) is default


@pytest.mark.parametrize("answer", [True, "true", "True", "yes", " YES ", "on", "y", "t", 1, "1"])
def test_yes_is_yes(answer: object) -> None:
    assert survey_answer(answer, False) is True


@pytest.mark.parametrize("answer", [False, "false", "FALSE", "no", " No ", "off", "n", "f", 0, "0"])
def test_no_is_no(answer: object) -> None:
    assert survey_answer(answer, True) is False

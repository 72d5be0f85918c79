# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: survey_answer
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: Yes or no, from a person's answer
description:
  - Reads booleans and the words of YAML and of AWX surveys. An empty answer, and one that is neither yes nor no, is the default, because
    it is too late to refuse an answer while a run fails. The default is the safe side.
options:
  _input:
    description: The answer.
    type: raw
    required: true
  default:
    description: What any other answer means.
    type: bool
    required: true
"""

EXAMPLES = r"""
- name: Show whether a failed deployment is rolled back
  ansible.builtin.debug:
    msg: "{{ stack_auto_rollback | default('') | parity.stack.survey_answer(default=true) }}"
"""

RETURN = r"""
_value:
  description: Whether the answer is yes.
  type: bool
"""

from ansible.module_utils.parsing.convert_bool import BOOLEANS_FALSE, BOOLEANS_TRUE


def survey_answer(answer: object, default: bool) -> bool:
    word = str(answer).strip().lower()
    return word not in BOOLEANS_FALSE if default else word in BOOLEANS_TRUE


class FilterModule:
    def filters(self) -> dict:
        return {"survey_answer": survey_answer}

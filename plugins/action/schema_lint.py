# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads migrations with squawk on the control node. Documented in plugins/modules/schema_lint.py."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.migrations import pending
from ansible_collections.parity.stack.plugins.plugin_utils import commands
from ansible_collections.parity.stack.plugins.plugin_utils.migrations import squawk

_SPEC = {
    "migrations": {"type": "list", "elements": "dict", "required": True, "options": pending.FILE},
    "exclude": {"type": "list", "elements": "str", "default": []},
}
_MISSING = (
    "squawk is not installed on the control node, so the migrations were not read by it. What they destroy and which locks they "
    "take is checked all the same. To have its advice too: pip install squawk-cli (requirements.txt has it pinned)."
)


class ActionModule(ActionBase):
    """Returns what squawk finds."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        wanted = self.validate_argument_spec(_SPEC)[1]
        program = commands.beside_python("squawk")
        if program is None:
            return {**result, "changed": False, "findings": [], "linter": "", "warnings": [_MISSING]}
        try:
            found = squawk.findings(commands.run, program, wanted["migrations"], wanted["exclude"])
            return {**result, "changed": False, "findings": found, "linter": squawk.version(commands.run, program)}
        except ParityError as error:
            return {**result, **error.details, "failed": True, "msg": str(error)}

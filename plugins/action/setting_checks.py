# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds settings against rules on the control node. Documented in plugins/modules/setting_checks.py."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible_collections.parity.stack.plugins.module_utils import redis
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.inputs import processes, settings

_SETTING = {
    "name": {"type": "str", "required": True},
    "value": {"type": "raw"},
    "rule": {"type": "str", "choices": list(settings.RULES), "default": "required"},
    "required": {"type": "bool", "default": True},
    "hint": {"type": "str", "default": ""},
}
_NO_PROCESSES = "stack_processes is empty; name what runs: {api: {run: uvicorn, application: shop.main:app, health: /healthz}}."
_SECRET = {**_SETTING, "value": {"type": "raw", "no_log": True}}
_SPEC = {
    "settings": {"type": "list", "elements": "dict", "default": [], "options": _SETTING},
    "secrets": {"type": "list", "elements": "dict", "default": [], "options": _SECRET, "no_log": False},
    "service_secrets": {"type": "dict", "default": {}, "no_log": True},
    "broker_databases": {"type": "int", "default": redis.DATABASES},
    "processes": {"type": "raw"},
    "groups": {"type": "dict", "default": {}},
    "required_groups": {"type": "list", "elements": "str", "default": []},
}


class ActionModule(ActionBase):
    """Returns a sentence for each broken rule."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        wanted = self.validate_argument_spec(_SPEC)[1]
        try:
            return {**result, "changed": False, "failures": _failures(wanted)}
        except ParityError as error:
            return {**result, **error.details, "failed": True, "msg": str(error)}


def _failures(wanted: dict) -> list[str]:
    found = [
        settings.complaint(
            entry["name"], entry["value"], entry["rule"], hint=entry["hint"], secret=secret, databases=wanted["broker_databases"]
        )
        for secret, entries in ((False, wanted["settings"]), (True, wanted["secrets"]))
        for entry in entries
        if entry["required"] or not settings.is_empty(entry["value"])
    ]
    if wanted["processes"] is not None:
        found += processes.problems(wanted["processes"], wanted["groups"]) or ([] if wanted["processes"] else [_NO_PROCESSES])
    found += settings.service_complaints(wanted["service_secrets"], [entry["value"] for entry in wanted["secrets"]])
    return [words for words in found if words] + settings.group_complaints(wanted["groups"], wanted["required_groups"])

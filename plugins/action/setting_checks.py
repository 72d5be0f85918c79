# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds settings against rules on the control node. Documented in plugins/modules/setting_checks.py."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible_collections.parity.stack.plugins.module_utils import redis
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.bundle import python_versions, sources
from ansible_collections.parity.stack.plugins.plugin_utils.inputs import commands, processes, settings

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
    "commands": {"type": "dict", "default": {}},
    "lock_without_hashes": {"type": "bool", "default": False},
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
        for entry in wanted["settings"]:
            entry["value"] = self._place(entry["value"], entry["rule"])
        try:
            return {**result, "changed": False, "failures": _failures(wanted), "requires_python": _requires_python(wanted)}
        except ParityError as error:
            return {**result, **error.details, "failed": True, "msg": str(error)}

    def _place(self, value: object, rule: str) -> object:
        """The place of what a relative path of a release's source names: as the task that packs it finds it."""
        if rule not in ("application", "lock_file") or not isinstance(value, str) or not value.strip():
            return value
        return value if "://" in value or value.startswith(sources.INSIDE) else self._loader.path_dwim(value)


def _requires_python(wanted: dict) -> str:
    application = next((entry["value"] for entry in wanted["settings"] if entry["rule"] == "application"), None)
    return python_versions.required(application) if isinstance(application, str) and application.strip() else ""


def _failures(wanted: dict) -> list[str]:
    of_rule = {entry["rule"]: entry["value"] for entry in wanted["settings"]}
    beside = settings.Beside(of_rule.get("release"), of_rule.get("application"), wanted.get("lock_without_hashes", False))
    found = [
        settings.complaint(
            entry["name"],
            entry["value"],
            entry["rule"],
            hint=entry["hint"],
            secret=secret,
            databases=wanted["broker_databases"],
            beside=beside,
        )
        for secret, entries in ((False, wanted["settings"]), (True, wanted["secrets"]))
        for entry in entries
        if entry["required"] or not settings.is_empty(entry["value"])
    ]
    if wanted["processes"] is not None:
        found += processes.problems(wanted["processes"], wanted["groups"]) or ([] if wanted["processes"] else [_NO_PROCESSES])
    owner = any(entry["rule"] == "database_url" and not settings.is_empty(entry["value"]) for entry in wanted["secrets"])
    found += commands.problems(wanted["commands"], owner=owner, secrets=wanted["service_secrets"])
    found += settings.service_complaints(wanted["service_secrets"], [entry["value"] for entry in wanted["secrets"]])
    return [words for words in found if words] + settings.group_complaints(wanted["groups"], wanted["required_groups"])

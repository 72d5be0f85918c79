# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `stack_build_commands` and `stack_release_commands` of an inventory mean, and what is wrong with them (docs/commands.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.masking import ANYWHERE, Mask, values_of
from ansible_collections.parity.stack.plugins.plugin_utils.inputs.processes import shown

BUILD, RELEASE, SINGLE = "stack_build_commands", "stack_release_commands", "stack_release_command"
_SECONDS, _MOST_SECONDS = 900, 86400
_WHEN = ("before", "after")
_KEYS = {BUILD: ("command", "environment", "seconds"), RELEASE: ("command", "environment", "seconds", "when", "as_owner")}
_EXAMPLES = {BUILD: "[python, -m, django, collectstatic, --noinput]", RELEASE: "[python, -m, shop.initial_data]"}


def build(given: object) -> list[dict]:
    """The commands that build a release, complete. Raises ParityError with all problems, one a line."""
    return _complete(BUILD, given)


def release(given: object, single: object = None) -> list[dict]:
    """The commands that run once for a release, complete. Raises ParityError with all problems, one a line."""
    if not _is_empty(single):
        if not _is_empty(given):
            raise ParityError(_both())
        given = [single]
    return _complete(RELEASE, given)


def problems(given: Mapping[str, object], *, owner: bool = True, secrets: object = None) -> list[str]:
    """What is wrong with the settings of an inventory, by their names; `owner` says whether there is a URL of the database's owner."""
    single = given.get(SINGLE)
    found = [_both()] if not _is_empty(single) and not _is_empty(given.get(RELEASE)) else []
    if not _is_empty(single):
        at = _word_problems(single)
        found += [f"{SINGLE} {at}; write the words of the command as a list: {_EXAMPLES[RELEASE]}."] if at else []
    hidden = [value for value in values_of(secrets) if len(value) >= ANYWHERE]
    for name in (BUILD, RELEASE):
        wrong = _problems(name, given.get(name))
        found += wrong or [line for entry in _entries(given.get(name)) for line in _together(name, entry, owner, hidden)]
    if not found and not _is_empty(single):
        found = _together(SINGLE, {"command": single}, owner, hidden)
    return [Mask(hidden).text(line) for line in found]


def _both() -> str:
    return f"{SINGLE} and {RELEASE} are both set; put the command into the list of {RELEASE}."


def _complete(name: str, given: object) -> list[dict]:
    found = _problems(name, given)
    if found:
        raise ParityError("\n".join(found))
    return [_with_defaults(name, entry) for entry in _entries(given)]


def _with_defaults(name: str, entry: Mapping) -> dict:
    more = {} if name == BUILD else {"when": entry.get("when") or "before", "as_owner": _is_true(entry.get("as_owner"))}
    return {
        "command": [str(word) for word in entry["command"]],
        "environment": dict(entry.get("environment") or {}),
        "seconds": int(entry.get("seconds") or _SECONDS),
        **more,
    }


def _entries(given: object) -> list[Mapping]:
    return [entry if isinstance(entry, Mapping) else {"command": entry} for entry in (given if isinstance(given, list) else [])]


def _problems(name: str, given: object) -> list[str]:
    if _is_empty(given):
        return []
    if not isinstance(given, list) or not all(isinstance(entry, (list, Mapping)) for entry in given):
        return [f"{name} is {shown(given)}; write a list of commands, each a list of words: [{_EXAMPLES[name]}]."]
    return [line for number, entry in enumerate(given, 1) for line in _problems_of(name, number, entry)]


def _problems_of(name: str, number: int, given: object) -> list[str]:
    at = f"{name}, command {number}"
    entry = given if isinstance(given, Mapping) else {"command": given}
    found = [f"{at}: {key} is not known. Known are: {', '.join(_KEYS[name])}." for key in entry if key not in _KEYS[name]]
    wrong = _word_problems(entry.get("command"))
    found += [f"{at} {wrong}; write its words as a list: {_EXAMPLES[name]}."] if wrong else []
    environment = entry.get("environment")
    if environment is not None and not isinstance(environment, Mapping):
        found.append(f"{at}: environment is no mapping; write NAME: value.")
    seconds = entry.get("seconds")
    if seconds is not None and not _is_seconds(seconds):
        found.append(f"{at}: seconds is {shown(seconds)}; write a whole number from 1 to {_MOST_SECONDS}.")
    if name == RELEASE and entry.get("when") not in (None, *_WHEN):
        found.append(f"{at}: when is {shown(entry['when'])}; write before or after: the switch to the release.")
    if name == RELEASE and not _is_boolean(entry.get("as_owner")):
        found.append(f"{at}: as_owner is {shown(entry['as_owner'])}; write true or false.")
    return found


def _together(name: str, entry: Mapping, owner: bool, hidden: Iterable[str]) -> list[str]:
    """What is wrong with a command beside other settings. A secret's value is never part of the answer."""
    shown = " ".join(str(word) for word in entry["command"][:3])
    words = [*map(str, entry["command"]), *values_of(entry.get("environment") or {})]
    if any(secret in word for word in words for secret in hidden):
        return [
            f"{name}: a command has the value of a secret among its words or in its environment, where everybody on the host sees it. "
            "Give the secret to the process in stack_secrets; the command gets it in its environment."
        ]
    if _is_true(entry.get("as_owner")) and not owner:
        return [f"{name}: `{shown}` runs as_owner, and stack_database_owner_url is missing or empty. Set it, or leave as_owner out."]
    return []


def _word_problems(words: object) -> str:
    good = isinstance(words, list) and bool(words) and all(_is_word(word) for word in words)
    return "" if good else f"is {shown(words)}"


def _is_word(word: object) -> bool:
    return isinstance(word, (str, int, float)) and not isinstance(word, bool) and bool(str(word)) and "\0" not in str(word)


def _is_seconds(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return False
    return str(value).isascii() and str(value).isdigit() and 1 <= int(value) <= _MOST_SECONDS


def _is_boolean(value: object) -> bool:
    return value is None or isinstance(value, bool) or str(value).lower() in ("true", "false", "yes", "no")


def _is_true(value: object) -> bool:
    return value is True or str(value).lower() in ("true", "yes")


def _is_empty(value: object) -> bool:
    return value is None or value in ("", [], {})

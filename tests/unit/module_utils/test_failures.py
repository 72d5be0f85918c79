# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.failures import answer, errors_as_failures
from ansible_collections.parity.stack.plugins.module_utils.files import explain
from ansible_collections.parity.stack.plugins.module_utils.masking import mask_module


class Failed(SystemExit):
    pass


class Module:
    """What the helper uses of AnsibleModule."""

    def __init__(self) -> None:
        self.no_log_values: set[str] = set()
        self.params: dict = {}
        self.failure: dict = {}
        self.result: dict = {}

    def fail_json(self, **result: object) -> None:
        self.failure = result
        raise Failed

    def exit_json(self, **result: object) -> None:
        self.result = result


FULL = OSError(errno.ENOSPC, "No space left on device", "/srv/a")


@pytest.mark.parametrize(
    ("error", "text", "failure"),
    [
        (ParityError("No disk."), str, {"msg": "No disk."}),
        (ParityError("No disk.", disks=["a"]), explain, {"msg": "No disk.", "disks": ["a"]}),
        (ParityError("hunter22!x is wrong", url="p://u:hunter22%21x@h"), str, {"msg": "******** is wrong", "url": "p://u:********@h"}),
        (FULL, str, {"msg": str(FULL)}),
        (FULL, explain, {"msg": explain(FULL)}),
    ],
)
def test_an_error_fails_the_task(error: Exception, text, failure: dict) -> None:
    module = Module()
    mask_module(module, "hunter22!x")
    with pytest.raises(Failed), errors_as_failures(module, text):
        raise error
    assert module.failure == failure


@pytest.mark.parametrize("error", [KeyError("a"), SystemExit(0)])
def test_other_exceptions_stay_as_they_are(error: BaseException) -> None:
    module = Module()
    with pytest.raises(type(error)) as raised, errors_as_failures(module):
        raise error
    assert raised.value is error and not module.failure


def test_an_answer_is_the_result_of_the_logic() -> None:
    module = Module()
    answer(module, lambda given: {"changed": given is module})
    assert module.result == {"changed": True} and not module.failure


def test_an_answer_with_an_error_is_a_failure_without_secrets() -> None:
    module = Module()
    module.no_log_values = {"hunter22!x"}

    def logic(_module: Module) -> dict:
        raise ParityError("p://u:hunter22%21x@h does not answer")

    with pytest.raises(Failed):
        answer(module, logic)
    assert module.failure == {"msg": "p://u:********@h does not answer"} and not module.result

# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check what a pipeline does with good and bad documents. docs/checks.md says why each check matters."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.checks.api_access import Api
from ansible_collections.parity.stack.plugins.module_utils.checks.collect import Check, NothingToCheck, Seen
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.http_client import Answer, multipart
from ansible_collections.parity.stack.plugins.module_utils.probing import pdf, pipeline

_AT_ONCE = 6
_REFUSED = "refused with a status from 400 to 499"


def documents(api: Api) -> list[Check]:
    broken = b"%PDF-1.4\nthis is where the pages would be\n%%EOF\n"
    ends = f"refused, or failed within {api.seconds:.0f} s"
    return [
        Check(
            "pipeline.document",
            "A document is completed, state by state",
            f"within {api.seconds:.0f} s, each state once and in order",
            partial(_completed, api, 1),
            "critical",
        ),
        Check(
            "pipeline.long_document",
            f"A document of {api.long_pages} pages is completed",
            f"within {api.seconds:.0f} s, each state once and in order",
            partial(_completed, api, api.long_pages),
        ),
        Check("pipeline.empty", "An empty file is refused", _REFUSED, partial(_refused, api, b"")),
        Check("pipeline.not_a_pdf", "A file that is no PDF is refused", _REFUSED, partial(_refused, api, b"just words\n")),
        Check("pipeline.corrupt", "A corrupt PDF ends, and does not hang", ends, partial(_ends, api, broken)),
        Check(
            "pipeline.encrypted",
            "An encrypted PDF ends, and does not hang",
            ends,
            partial(_ends, api, pdf.encrypted(["Nobody can read this."], "a password nobody gives")),
        ),
        Check(
            "pipeline.recovery",
            "Work is done again when its process is killed",
            f"{_AT_ONCE} documents are completed within {4 * api.seconds:.0f} s",
            partial(_recovers, api),
        ),
    ]


# --- What earlier runs left, and what this one leaves -----------------------------------------------------------------


def clear(api: Api) -> int:
    """Remove the documents that a killed run left, unless a deployment runs: its documents belong to the same user."""
    return 0 if api.flow is None or _deploying(api) else pipeline.clear(api.user(), api.flow)


def _deploying(api: Api) -> bool:
    return bool(api.lock_file) and Path(api.lock_file).exists()


def test_data(api: Api, removed: int) -> Check:
    return Check("pipeline.test_data", "Nothing of the test user is left", "no document", partial(_nothing_left, api, removed), "minor")


def _nothing_left(api: Api, removed: int) -> Seen:
    api.need_flow()
    if not api.flow.list_path:
        raise NothingToCheck("the inventory does not say how documents are listed")
    if _deploying(api):
        raise NothingToCheck("a deployment runs, which hands in documents of the same user")
    left = pipeline.left_behind(api.user(), api.flow)
    evidence = f"{removed} of an earlier run were removed at the beginning" if removed else ""
    return Seen(not left, f"{len(left)} documents" if left else "none", "\n".join(map(str, left)) or evidence)


# --- Good documents ---------------------------------------------------------------------------------------------------


def _completed(api: Api, pages: int) -> Seen:
    api.need_flow()
    client = api.user()
    document = pdf.document([[f"Parity pushes page {number} of {pages} through the pipeline."] for number in range(1, pages + 1)])
    with pipeline.submitted(client, api.flow, document) as identifier:
        try:
            found = pipeline.watch(client, api.flow, str(identifier), seconds=api.seconds)
        except ParityError as error:
            return Seen(False, str(error))
        passed = pipeline.history(client, api.flow, identifier)
        stages = pipeline.stages(client, api.flow, identifier)
    told = "\n".join(f"{name}: {seconds:.3f} s" for name, seconds in stages.items())
    wrong = order_problem(passed, api.states)
    slow = [f"{name} took {seconds:.1f} s" for name, seconds in stages.items() if api.stage_seconds and seconds > api.stage_seconds]
    words = f"{found['state']} after {found['seconds']} s"
    return Seen(not wrong and not slow, "; ".join(filter(None, [words, wrong, *slow])), told)


def order_problem(passed: list[str], wanted: list[str]) -> str:
    """What is wrong with the states a document went through; empty when nothing is, or nothing is expected."""
    if not wanted or passed == wanted:
        return ""
    if not passed:
        return "the application shows no history of states"
    return f"its states were {' > '.join(passed)}, not {' > '.join(wanted)}"


# --- Bad ones ---------------------------------------------------------------------------------------------------------


def _refused(api: Api, content: bytes) -> Seen:
    api.need_flow()
    answer, identifier = _hand_in(api, content)
    if identifier is not None:
        pipeline.remove(api.user(), api.flow, identifier)
    return Seen(400 <= answer.status < 500, str(answer))


def _ends(api: Api, content: bytes) -> Seen:
    """Pass a document that is refused at once, or accepted and then failed. It must not stay in work for ever."""
    api.need_flow()
    answer, identifier = _hand_in(api, content)
    if identifier is None:
        return Seen(400 <= answer.status < 500, str(answer))
    client = api.user()
    try:
        found = pipeline.watch(client, api.flow, str(identifier), seconds=api.seconds)
        return Seen(False, f"{found['state']}, as if it were a good document")
    except ParityError as error:
        states = error.details.get("states")
        return Seen(bool(isinstance(states, list) and states and states[-1] in api.flow.failed), str(error))
    finally:
        pipeline.remove(client, api.flow, identifier)


#: No answer, a token or a path that is not taken, or too many requests.
_NOT_ABOUT_THE_DOCUMENT = (0, 401, 403, 404, 405, 408, 429)


def _hand_in(api: Api, content: bytes) -> tuple[Answer, object]:
    """The answer to a document, and its identifier where it was taken."""
    body, content_type = multipart(api.flow.field_name, "parity-probe.pdf", content, "application/pdf")
    answer = api.user().send("POST", api.flow.submit_path, body=body, content_type=content_type)
    if answer.status in _NOT_ABOUT_THE_DOCUMENT:
        raise ParityError(f"{answer}, which says nothing about the document")
    told = answer.json()
    return answer, told.get(api.flow.id_key) if answer.status < 300 and isinstance(told, dict) else None


# --- Recovery ---------------------------------------------------------------------------------------------------------


def _recovers(api: Api) -> Seen:
    """Hand in enough documents to make every worker busy, kill this host's processes, and expect every document to be completed."""
    api.need_flow()
    if not api.kill_unit:
        raise NothingToCheck("this check kills a worker's processes, and is off. To make it, set validation_kill_worker")
    client = api.user()
    document = pdf.document([[f"Page {number}, which somebody is going to interrupt."] for number in range(api.long_pages)])
    with ExitStack() as stack:
        there = [stack.enter_context(pipeline.submitted(client, api.flow, document)) for _dummy in range(_AT_ONCE)]
        first = api.flow.done + api.flow.failed + (api.states[:1] or ["uploaded"])
        _until(lambda: any(_state(api, client, one) not in first for one in there), api.seconds)
        victims = children_of(api.kill_unit)
        for process in victims:
            os.kill(process, signal.SIGKILL)
        under_way = sum(_state(api, client, one) not in api.flow.done + api.flow.failed for one in there)
        began, failed = time.monotonic(), []
        for one in there:
            try:
                pipeline.watch(client, api.flow, str(one), seconds=4 * api.seconds)
            except ParityError as error:
                failed.append(str(error))
        took = time.monotonic() - began
    if not under_way:
        raise ParityError("every document was complete before a process could be killed")
    evidence = "\n".join(
        [f"killed {len(victims)} processes of {api.kill_unit}, with {under_way} of {_AT_ONCE} documents under way", *failed]
    )
    words = f"{len(failed)} were not" if failed else f"all of them, {took:.1f} s after {len(victims)} processes were killed"
    return Seen(not failed and bool(victims), words, evidence)


def _state(api: Api, client, identifier: object) -> object:
    content = client.send("GET", api.flow.state_path.format(id=identifier)).json()
    return content.get(api.flow.state_key) if isinstance(content, dict) else None


def _until(true, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise ParityError(f"no document was worked on within {seconds:.0f} s")
        time.sleep(0.1)


def children_of(unit: str, proc: Path = Path("/proc")) -> list[int]:
    """Processes that the main process of a unit has started. Where several units have the name, those that run."""
    words = ["systemctl", "show", "--property", "MainPID", "--value", unit]
    told = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False).stdout
    mains = {int(line) for line in told.split() if line.isdigit() and int(line)}
    if not mains:
        raise ParityError(f"{unit} does not run on this host, so nothing of it can be killed")
    found = []
    for process in proc.iterdir():
        if process.name.isdigit():
            try:
                status = (process / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:  # it has just ended
                continue
            if int(status.rpartition(")")[2].split()[1]) in mains:
                found.append(int(process.name))
    return sorted(found)

# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Push one document through an application's pipeline and watch it until it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.http_client import Answer, Client, multipart
from ansible_collections.parity.stack.plugins.module_utils.probing import pdf

#: How often a document is sent until it counts as lost.
ATTEMPTS = 2

#: The options of the test user, as modules take them. Documented in plugins/doc_fragments/probing.py.
TESTER = {"subject": {"type": "str", "default": "parity-probe"}, "audience": {"type": "str"}}
#: The options of `Pipeline`. Documented there too.
ARGUMENTS = {
    "submit_path": {"type": "str", "required": True},
    "state_path": {"type": "str", "required": True},
    "delete_path": {"type": "str", "required": True},
    "field_name": {"type": "str", "default": "file"},
    "id_key": {"type": "str", "no_log": False, "default": "id"},
    "state_key": {"type": "str", "no_log": False, "default": "state"},
    "done": {"type": "list", "elements": "str", "default": ["complete"]},
    "failed": {"type": "list", "elements": "str", "default": ["failed"]},
    "queue_claim": {"type": "str", "default": ""},
    "list_path": {"type": "str", "default": ""},
    "list_key": {"type": "str", "no_log": False, "default": ""},
    "history_key": {"type": "str", "no_log": False, "default": ""},
    "history_state_key": {"type": "str", "no_log": False, "default": "to"},
    "history_time_key": {"type": "str", "no_log": False, "default": "at"},
}


@dataclass(frozen=True)
class Pipeline:
    """How an application takes documents: data from the inventory, so that nothing here knows the application.

    `{id}` in a path stands for the document's identifier. `queue_claim` is the claim of a token that names the queue its
    documents go to, where the application has one.
    """

    submit_path: str
    state_path: str
    delete_path: str
    field_name: str = "file"
    id_key: str = "id"
    state_key: str = "state"
    done: list[str] = field(default_factory=lambda: ["complete"])
    failed: list[str] = field(default_factory=lambda: ["failed"])
    queue_claim: str = ""
    # The path that lists a user's own documents, and the key of the list in the answer; without a key, the answer is the list.
    list_path: str = ""
    list_key: str = ""
    # Where the answer about a document's state has its history: a list of objects with a state and a time (ISO 8601).
    history_key: str = ""
    history_state_key: str = "to"
    history_time_key: str = "at"


def run(
    client: Client,
    pipeline: Pipeline,
    document: bytes,
    *,
    seconds: float,
    reads: Iterable[str] = (),
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict:
    """Submit `document`, wait until it has ended, read the paths in `reads`, and remove it, whatever happened.

    Returns `id`, `state`, `seconds` and the distinct `states` seen, in order. Raises ParityError when it is refused,
    fails, has not ended after `seconds`, is not removed, or when one of the paths in `reads` is not answered.
    """
    left: list[object] = []
    with submitted(client, pipeline, document, left) as identifier:
        found = {"id": identifier, **watch(client, pipeline, str(identifier), seconds=seconds, clock=clock, sleep=sleep)}
        read(client, reads, identifier)
    if left:
        raise ParityError(
            f"the probe document {identifier} is complete, but DELETE {pipeline.delete_path} does not remove it. Remove it by hand."
        )
    return found


def read(client: Client, paths: Iterable[str], identifier: object) -> None:
    """Read application data, each path twice at most. Raises ParityError where a path gets no answer, or 500 and more."""
    wrong = []
    for path in paths:
        answers = (client.send("GET", path.replace("{id}", str(identifier))) for _attempt in range(ATTEMPTS))
        last = None
        for last in answers:
            if 0 < last.status < 500:
                break
        else:
            wrong.append(f"GET {path}: {last}{_detail(last)}")
    if wrong:
        raise ParityError(f"the API does not answer for application data: {'; '.join(wrong)}. Wanted: a status below 500.")


class LostError(ParityError):
    """A document that the application refused, or that did not end well."""


@contextmanager
def submitted(
    client: Client, pipeline: Pipeline, document: bytes, left: list[object] | None = None
) -> Iterator[object]:
    """The identifier of a document that exists as long as the block lasts. It is removed afterwards in any case.

    One that is not removed is added to `left`.
    """
    identifier = submit(client, pipeline, document)
    try:
        yield identifier
    finally:
        if not remove(client, pipeline, identifier) and left is not None:
            left.append(identifier)


def submit(client: Client, pipeline: Pipeline, document: bytes) -> object:
    """Hand in a document and return its identifier. Raises LostError when it is refused."""
    body, content_type = multipart(pipeline.field_name, "parity-probe.pdf", document, "application/pdf")
    answer = client.send("POST", pipeline.submit_path, body=body, content_type=content_type)
    identifier = _value(answer, pipeline.id_key)
    if answer.status not in (200, 201, 202) or identifier is None:
        raise LostError(
            f"the pipeline did not take a document: POST {pipeline.submit_path}: {answer}{_detail(answer)}"
        )
    return identifier


def remove(client: Client, pipeline: Pipeline, identifier: object) -> bool:
    """Remove a document, and try again where that fails. Returns whether it is gone."""
    path = pipeline.delete_path.format(id=identifier)
    return any(client.send("DELETE", path).status in (200, 202, 204, 404) for _attempt in range(ATTEMPTS))


def left_behind(client: Client, pipeline: Pipeline) -> list[object]:
    """Identifiers of the client's own documents. Raises ParityError where they cannot be listed."""
    answer = client.send("GET", pipeline.list_path)
    content = answer.json()
    found = content.get(pipeline.list_key) if pipeline.list_key and isinstance(content, dict) else content
    if answer.status != 200 or not isinstance(found, list):
        raise ParityError(f"GET {pipeline.list_path} does not list documents ({answer})")
    return [item[pipeline.id_key] for item in found if isinstance(item, dict) and item.get(pipeline.id_key)]


def clear(client: Client, pipeline: Pipeline) -> int:
    """Remove the documents that a killed probe left. Returns how many there were.

    Reports nothing where they cannot be listed: the next request to the application reports that.
    """
    if not pipeline.list_path:
        return 0
    try:
        found = left_behind(client, pipeline)
    except ParityError:
        return 0
    for identifier in found:
        remove(client, pipeline, identifier)
    return len(found)


def watch(
    client: Client,
    pipeline: Pipeline,
    identifier: str,
    *,
    seconds: float,
    pause: float = 0.2,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict:
    """Wait until a document has ended: its `state`, the distinct `states` seen, and the `seconds` it took.

    Raises LostError where it has failed, or has not ended after `seconds`.
    """
    deadline = clock() + seconds
    started, states = clock(), []
    while True:
        answer = client.send("GET", pipeline.state_path.format(id=identifier))
        state = _value(answer, pipeline.state_key)
        if state is not None and (not states or states[-1] != state):
            states.append(state)
        if state in pipeline.failed:
            raise LostError(f"the probe document failed after {' -> '.join(states)}{_detail(answer)}", states=states)
        if state in pipeline.done:
            return {"state": state, "states": states, "seconds": round(clock() - started, 2)}
        if clock() > deadline:
            raise LostError(
                f"the probe document has not ended in time; states seen: {' -> '.join(states) or 'none'}; last answer: "
                f"{answer}. Do workers run, and do they reach the broker?",
                states=states,
            )
        sleep(pause)


def stages(client: Client, pipeline: Pipeline, identifier: object) -> dict[str, float]:
    """Seconds a document spent in each state, by its history; empty where the application has none."""
    times: dict[str, float] = {}
    for (state, entered), (_following, left) in pairwise(_steps(client, pipeline, identifier)):
        times[state] = times.get(state, 0.0) + (left - entered).total_seconds()
    return times


def history(client: Client, pipeline: Pipeline, identifier: object) -> list[str]:
    """The states of a document's history, sorted by time; empty where the application has none."""
    return [state for state, _entered in sorted(_steps(client, pipeline, identifier), key=lambda step: step[1])]


def _steps(client: Client, pipeline: Pipeline, identifier: object) -> list[tuple[str, datetime]]:
    answer = client.send("GET", pipeline.state_path.format(id=identifier))
    history = _value(answer, pipeline.history_key) if pipeline.history_key else None
    if not isinstance(history, list):
        return []
    try:
        return [
            (str(step[pipeline.history_state_key]), datetime.fromisoformat(step[pipeline.history_time_key]))
            for step in history
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ParityError(
            f"{pipeline.history_key} of the state is no list of objects with {pipeline.history_state_key} and "
            f"{pipeline.history_time_key} (a time in ISO 8601): {error}. Correct the pipeline's history_* keys."
        ) from error


def made(places: dict[str, Client], pipeline: Pipeline, document: bytes, *, seconds: float) -> str:
    """Make a document at the first of `places` that completes one, and return its identifier. Each place gets two attempts.

    Even at the live release one request in a hundred may fail, and it may be the live release that takes no documents.
    Raises the last LostError where no place completes one.
    """
    lost = None
    for client in [client for client in places.values() for _attempt in range(ATTEMPTS)]:
        identifier = None
        try:
            identifier = str(submit(client, pipeline, document))
            watch(client, pipeline, identifier, seconds=seconds)
            return identifier
        except LostError as error:
            lost = error
            if identifier is not None:
                remove(client, pipeline, identifier)
    raise lost


def timed(
    places: dict[str, Client], pipeline: Pipeline, documents: int, *, seconds: float, most: float, pause: float = 0.05
) -> dict[str, dict]:
    """Documents for the times of their stages: one at a time to each place, to all places at once, for `most` seconds at most.

    Returns for each place `stages`, the seconds in each state and `in all`, document by document; and `documents`: how many were
    sent (`requests`), how many of them did not end well (`errors`), and, where a document was lost at both attempts, the message
    (`lost`). After that it sends no more. `left` are documents that were not removed.
    """
    found: dict[str, dict] = {name: {"stages": {}, "documents": {"requests": 0, "errors": 0, "left": []}} for name in places}
    began = time.monotonic()
    with ThreadPoolExecutor(len(places)) as together:
        for number in range(documents):
            if most and time.monotonic() - began > most:
                break
            page = pdf.page([f"Document {number + 1} of {documents} that Parity times."])
            sent = {
                name: together.submit(_timed, client, pipeline, page, found[name]["documents"]["left"], seconds, pause)
                for name, client in places.items()
            }
            for name, answer in sent.items():
                _add(found[name], *answer.result())
            if any("lost" in side["documents"] for side in found.values()):
                break
    return found


def _timed(
    client: Client, pipeline: Pipeline, page: bytes, left: list[object], seconds: float, pause: float
) -> tuple[dict[str, float], list[str]]:
    """The times of one document, empty where it was lost at each attempt; and the message of each lost attempt."""
    lost = []
    while len(lost) < ATTEMPTS:
        try:
            with submitted(client, pipeline, page, left) as identifier:
                taken = watch(client, pipeline, str(identifier), seconds=seconds, pause=pause)
                told = stages(client, pipeline, identifier)
        except LostError as error:
            lost.append(str(error))
        else:
            return {**told, "in all": sum(told.values()) or taken["seconds"]}, lost
    return {}, lost


def _add(side: dict, times: dict[str, float], lost: list[str]) -> None:
    for stage, value in times.items():
        side["stages"].setdefault(stage, {"runs": [[]]})["runs"][0].append(round(value, 6))
    counts = side["documents"]
    counts["requests"] += len(lost) + bool(times)
    counts["errors"] += len(lost)
    if not times:
        counts["lost"] = lost[-1]


def _value(answer: Answer, key: str) -> object:
    content = answer.json()
    return content.get(key) if isinstance(content, dict) else None


def _detail(answer: Answer) -> str:
    content = answer.json()
    words = content.get("reason") or content.get("detail") if isinstance(content, dict) else None
    return f": {words}" if words else ""

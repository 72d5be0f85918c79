# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A document is followed until it ends, and removed whatever happened."""

from __future__ import annotations

import itertools
import json

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.http_client import Answer
from ansible_collections.parity.stack.plugins.module_utils.probing.pipeline import (
    LostError,
    Pipeline,
    clear,
    made,
    read,
    run,
    stages,
    timed,
)

PIPELINE = Pipeline("/d", "/d/{id}/state", "/d/{id}")


class Client:
    def __init__(self, taken: Answer, *states: str | None) -> None:
        self.taken, self.states, self.asked = taken, list(states), []

    def send(self, method: str, url: str, **_more: object) -> Answer:
        self.asked.append(f"{method} {url}")
        if method != "GET":
            return self.taken
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return Answer(0, error="refused") if state is None else Answer(200, json.dumps({"state": state}).encode())


def push(client: Client) -> dict:
    clock = itertools.count()
    return run(client, PIPELINE, b"%PDF", seconds=5, clock=lambda: next(clock), sleep=lambda _seconds: None)


TAKEN = Answer(202, b'{"id": 7}')


@pytest.mark.parametrize(
    ("states", "seen"),
    [
        (["complete"], ["complete"]),
        (["queued", "queued", "complete"], ["queued", "complete"]),
        ([None, "queued", None, "complete"], ["queued", "complete"]),
    ],
)
def test_a_document_that_ends(states: list[str | None], seen: list[str]) -> None:
    client = Client(TAKEN, *states)
    result = push(client)
    assert (result["id"], result["state"], result["states"]) == (7, "complete", seen)
    assert client.asked[0] == "POST /d" and client.asked[-1] == "DELETE /d/7" and "GET /d/7/state" in client.asked


@pytest.mark.parametrize(
    ("states", "words"),
    [
        (["queued", "failed"], "failed after queued -> failed"),
        (["queued"], "not ended in time; states seen: queued; last answer: status 200"),
        ([None], r"states seen: none; last answer: no answer \(refused\)"),
    ],
)
def test_a_document_that_does_not_is_removed_too(states: list[str | None], words: str) -> None:
    client = Client(TAKEN, *states)
    with pytest.raises(ParityError, match=words):
        push(client)
    assert client.asked[-1] == "DELETE /d/7"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(401, b'{"detail": "who?"}'), "status 401: who?"),
        (Answer(200, b"{}"), "status 200"),
        (Answer(200, b"[]"), "status 200"),
        (Answer(0, error="refused"), "no answer"),
    ],
)
def test_a_document_that_is_refused(answer: Answer, words: str) -> None:
    client = Client(answer, "complete")
    with pytest.raises(ParityError, match="did not take a document: POST /d: " + words.replace("?", r"\?")):
        push(client)
    assert client.asked == ["POST /d"]


class Reading:
    """Answers each path with its statuses, one after the other."""

    def __init__(self, **statuses: list[int]) -> None:
        self.statuses = statuses

    def send(self, method: str, url: str) -> Answer:
        assert method == "GET"
        return Answer(self.statuses[url.strip("/").partition("/")[0]].pop(0), b'{"detail": "column owner does not exist"}')


@pytest.mark.parametrize(
    ("statuses", "wrong"),
    [
        ({"documents": [200], "search": [404]}, None),
        ({"documents": [500, 200], "search": [200]}, None),
        ({"documents": [500, 500], "search": [200]}, "GET /documents/{id}: status 500.*: column owner does not exist"),
        ({"documents": [0, 0], "search": [503, 503]}, "GET /documents/{id}: no answer.*; GET /search: status 503"),
    ],
)
def test_application_data_is_read(statuses: dict, wrong: str | None) -> None:
    paths = ["/documents/{id}", "/search"]
    if wrong is None:
        read(Reading(**statuses), paths, 7)
    else:
        with pytest.raises(ParityError, match=wrong.replace("{id}", r"\{id\}")):
            read(Reading(**statuses), paths, 7)


def test_a_document_whose_data_cannot_be_read_is_removed() -> None:
    class Broken(Client):
        def send(self, method: str, url: str, **more: object) -> Answer:
            answer = super().send(method, url, **more)
            return Answer(500, b"") if url == "/list" else answer

    client = Broken(TAKEN, "complete")
    with pytest.raises(ParityError, match="does not answer for application data: GET /list: status 500"):
        run(client, PIPELINE, b"%PDF", seconds=5, reads=["/list"])
    assert client.asked[-1] == "DELETE /d/7"


class Told:
    def __init__(self, content: object) -> None:
        self.content = content

    def send(self, method: str, url: str) -> Answer:
        return Answer(200, json.dumps(self.content).encode())


HISTORY = [
    {"to": state, "at": f"2026-01-01T00:00:{at:04.1f}Z"} for state, at in (("a", 1), ("b", 2.5), ("a", 3), ("done", 7))
]


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ({"history": HISTORY}, {"a": 5.5, "b": 0.5}),
        ({"history": HISTORY[:1]}, {}),
        ({"history": []}, {}),
        ({"history": None}, {}),
        ({}, {}),
    ],
)
def test_stages(content: object, wanted: dict) -> None:
    flow = Pipeline("/d", "/d/{id}", "/d/{id}", history_key="history")
    assert stages(Told(content), flow, 7) == wanted
    assert stages(Told(content), PIPELINE, 7) == {}


@pytest.mark.parametrize(
    "entry", [{"to": "a"}, {"at": "2026-01-01"}, "a", {"to": "a", "at": "soon"}, {"to": "a", "at": 7}]
)
def test_a_history_that_cannot_be_read(entry: object) -> None:
    with pytest.raises(ParityError, match="history_"):
        stages(Told({"history": [entry, entry]}), Pipeline("/d", "/d/{id}", "/d/{id}", history_key="history"), 7)


class Listing:
    """A list of documents, and what is asked to be removed."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.removed = answer, []

    def send(self, method: str, url: str, **_more: object) -> Answer:
        if method == "DELETE":
            self.removed.append(url)
        return self.answer


@pytest.mark.parametrize(
    ("path", "key", "answer", "removed"),
    [
        ("/d", "documents", Answer(200, b'{"documents": [{"id": 1}, {"id": 2}, {"no": 3}]}'), ["/d/1", "/d/2"]),
        ("/d", "", Answer(200, b'[{"id": 1}]'), ["/d/1"]),
        ("/d", "documents", Answer(200, b'{"documents": []}'), []),
        ("/d", "other", Answer(200, b'{"documents": [{"id": 1}]}'), []),
        ("/d", "documents", Answer(500, b"no"), []),
        ("/d", "documents", Answer(200, b"<html>"), []),
        ("", "", Answer(200, b'[{"id": 1}]'), []),
    ],
)
def test_what_a_killed_probe_has_left_is_removed(path: str, key: str, answer: Answer, removed: list[str]) -> None:
    client = Listing(answer)
    flow = Pipeline("/d", "/d/{id}", "/d/{id}", list_path=path, list_key=key)
    assert clear(client, flow) == len(removed) and client.removed == removed


class Release:
    """Takes documents; the answer to each in turn: whether it is taken, and the state in which it ends."""

    def __init__(self, *ends: str | int) -> None:
        self.ends, self.there, self.number = list(ends), {}, 0

    def send(self, method: str, url: str, **_more: object) -> Answer:
        identifier = url.split("/")[2] if url.count("/") > 1 else ""
        if method == "POST":
            end = self.ends.pop(0) if self.ends else "complete"
            if isinstance(end, int):
                return Answer(end, b'{"detail": "no"}')
            self.number += 1
            self.there[str(self.number)] = end
            return Answer(202, json.dumps({"id": self.number}).encode())
        if method == "DELETE":
            return Answer(204 if self.there.pop(identifier, None) else 404)
        return Answer(200, json.dumps({"state": self.there[identifier]}).encode())


@pytest.mark.parametrize(
    ("ends", "requests", "errors", "lost"),
    [
        ((), 3, 0, None),
        ((500,), 4, 1, None),
        (("failed", "complete", "complete", 503), 5, 2, None),
        ((500, "failed"), 2, 2, "the probe document failed after failed"),
        (("complete", 500, 500), 3, 2, "the pipeline did not take a document: POST /d: status 500: no"),
    ],
)
def test_a_document_that_is_lost_is_sent_once_more(ends: tuple, requests: int, errors: int, lost: str | None) -> None:
    places = {"old": Release(), "new": Release(*ends)}
    found = timed(places, PIPELINE, 3, seconds=5, most=0, pause=0.001)
    assert found["old"]["documents"].pop("left") == found["new"]["documents"].pop("left") == []
    assert found["new"]["documents"] == {"requests": requests, "errors": errors, **({"lost": lost} if lost else {})}
    assert "lost" not in found["old"]["documents"]
    assert len(found["old"]["stages"]["in all"]["runs"][0]) == (3 if lost is None else 1 + (requests > 2))
    assert not places["old"].there and not places["new"].there, "they are removed"


@pytest.mark.parametrize(
    ("old", "new", "at"),
    [((), (), "old"), ((500,), (), "old"), ((500, "failed"), (), "new"), ((500, 500), ("failed",), "new")],
)
def test_the_document_that_is_asked_for_is_made_where_it_can_be(old: tuple, new: tuple, at: str) -> None:
    places = {"old": Release(*old), "new": Release(*new)}
    identifier = made(places, PIPELINE, b"%PDF", seconds=5)
    assert {name: list(release.there) for name, release in places.items()} == {"old": [], "new": [], at: [identifier]}


def test_where_no_document_can_be_made_the_last_answer_is_reported() -> None:
    with pytest.raises(LostError, match="status 503: no"):
        made({"old": Release(500, 500), "new": Release("failed", 503)}, PIPELINE, b"%PDF", seconds=5)


class Keeping(Release):
    """Does not remove documents when it is told to, the first few times."""

    def __init__(self, refusals: int) -> None:
        super().__init__()
        self.refusals = refusals

    def send(self, method: str, url: str, **more: object) -> Answer:
        if method == "DELETE" and self.refusals:
            self.refusals -= 1
            return Answer(500)
        return super().send(method, url, **more)


def test_a_document_is_removed_at_the_second_attempt() -> None:
    assert run(Keeping(1), PIPELINE, b"%PDF", seconds=5)["state"] == "complete"


def test_a_document_that_is_not_removed_is_reported() -> None:
    with pytest.raises(ParityError, match=r"probe document 1 is complete, but DELETE .* does not remove it"):
        run(Keeping(2), PIPELINE, b"%PDF", seconds=5)
    assert timed({"new": Keeping(2)}, PIPELINE, 2, seconds=5, most=0)["new"]["documents"]["left"] == [1]

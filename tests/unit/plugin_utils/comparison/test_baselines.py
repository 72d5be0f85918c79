# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The baseline file: written for git, read with clear errors, and turned into a case for the judge."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import judge_series as series
import numpy as np
import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.probing import responses
from ansible_collections.parity.stack.plugins.plugin_utils.comparison import baselines, judge


def measurement(seed: int, probes: int = 1000, slow: float = 1.0, machine: float = 1.0) -> dict:
    rng = np.random.default_rng(seed)
    names = ["GET /documents", "GET /search", "GET /documents/{id}"]
    return {
        "endpoints": {
            name: {
                "runs": [
                    run.tolist()
                    for run in series.runs(
                        rng,
                        lambda r, n, t=(slow if i == 0 else 1) * machine: series.quiet(r, n) * t,
                        5,
                        probes // 5,
                        0.02,
                    )
                ],
                "errors": 0,
                "requests": probes,
                "response": responses.recorded((200, b'{"a": 1, "at": "x"}'), (200, b'{"a": 1, "at": "y"}')),
            }
            for i, name in enumerate(names)
        },
        "stages": {"parsing": {"runs": [(series.quiet(rng, 10) * machine).tolist() for _dummy in range(5)]}},
        "resources": {"memory": {"runs": [series.quiet(rng, 20).tolist() for _dummy in range(5)]}},
        "calibration": {"seconds": 0.2 * machine},
    }


def baseline(seed: int = 1) -> dict:
    head = {"at": "2026-01-01T00:00:00Z", "release": "v1.0.0", "environment": "local"}
    return {"format": "parity-baseline", "version": 1, "captured": head, **measurement(seed)}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "local.json"
    baselines.write(path, baseline())
    first = path.read_text()
    data = baselines.read(path)
    baselines.write(path, data)
    assert path.read_text() == first and first.endswith("}\n")
    runs = data["endpoints"]["GET /documents"]["runs"]
    assert np.allclose(runs, baseline()["endpoints"]["GET /documents"]["runs"], rtol=1e-3)
    # Fit for git: small, and a run is one line.
    assert len(first) < 40_000 and max(map(len, first.splitlines())) > 1000 and len(first.splitlines()) < 150


@pytest.mark.parametrize(
    ("value", "wanted"), [(12.34567, 12.35), (1234567.8, 1235000), (0.00012345678, 0.0001235), (0.0, 0), (3.0, 3)]
)
def test_numbers_have_four_digits(value: float, wanted: float) -> None:
    assert baselines._rounded(value) == wanted


def test_responses_are_kept_to_the_letter() -> None:
    data = baseline()
    data["endpoints"]["GET /search"]["response"]["body"] = {"similarity": [0.123456789]}
    assert "0.123456789" in baselines.text(data)


def broken(*path: object, value: object) -> dict:
    data = baseline()
    node = data
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "format is 'list', wanted 'parity-baseline'"),
        ({}, "format is None"),
        (broken("version", value=2), "version is 2, this collection reads 1"),
        (broken("captured", "release", value=""), "captured.release is missing"),
        (broken("captured", value=None), "captured.at is missing"),
        (broken("endpoints", value={}), "endpoints is empty"),
        (broken("endpoints", "GET /search", value=1), "endpoints['GET /search'] is 1, wanted a mapping"),
        (broken("endpoints", "GET /search", "runs", value=[1, 2]), "wanted a list of runs"),
        (broken("endpoints", "GET /search", "runs", value=[[1, "x"]]), "runs[0] holds 'x'"),
        (broken("endpoints", "GET /search", "runs", value=[[1, -1]]), "runs[0] holds '-1'"),
        (broken("endpoints", "GET /search", "errors", value=2000), "errors 2000 of requests 1000"),
        (broken("endpoints", "GET /search", "response", value={}), "response has no status and body"),
        (broken("stages", "parsing", value=[]), "stages['parsing'].runs"),
        (broken("calibration", "seconds", value=0), "calibration.seconds is 0"),
    ],
)
def test_what_is_no_baseline(tmp_path: Path, data: object, words: str) -> None:
    path = tmp_path / "b.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ParityError) as raised:
        baselines.read(path)
    assert words in str(raised.value) and str(path) in str(raised.value)


@pytest.mark.parametrize(("content", "words"), [(None, "there is no baseline"), ("{", "cannot be read")])
def test_no_file(tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "b.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ParityError, match=words):
        baselines.read(path)


def test_a_broken_one_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ParityError, match="was not written"):
        baselines.write(tmp_path / "b.json", broken("version", value=3))
    assert not list(tmp_path.iterdir())


def test_weaknesses() -> None:
    assert not baselines.weaknesses({**baseline(), "stages": {}})
    small = {**baseline(), **measurement(1, probes=100), "stages": {"parsing": {"runs": [[1.0] * 10]}}}
    words = baselines.weaknesses(small)
    assert len(words) == 4 and "100 probes over 5 restarts" in words[0] and "10 documents" in words[3]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("environment", "wanted", "bad"),
    [
        ("same", {}, []),
        ("same", {"slow": 1.5}, ["GET /documents"]),
        ("cross", {"machine": 1.6}, []),
        ("cross", {"machine": 1.6, "slow": 2.5}, ["GET /documents"]),
    ],
)
def test_cases(seed: int, environment: str, wanted: dict, bad: list[str]) -> None:
    case = baselines.case(baseline(seed), measurement(seed + 100, probes=500, **wanted), environment=environment)
    result = judge.judge(case)
    assert [name for name, item in result["metrics"].items() if item["verdict"] == "regression"] == bad, judge.summary(
        result
    )
    assert {"errors", "contract", "stage parsing", "memory"} < set(result["metrics"])


def test_a_changed_response_is_reported() -> None:
    measured = measurement(5)
    measured["endpoints"]["GET /search"]["response"] = responses.recorded((200, b'{"b": 1, "at": "z"}'))
    result = judge.judge(baselines.case(baseline(), measured))
    assert result["verdict"] == "regression"
    assert "GET /search: a is missing" in judge.summary(result)
    measured["endpoints"]["GET /search"]["response"] = responses.recorded((200, b'{"a": 2, "at": "z"}'))
    masked = baselines.case(baseline(), measured, masks={"GET /search": ["a"]})
    assert masked["metrics"][-1]["candidate"]["differences"] == []


def test_endpoints_of_one_side_are_said() -> None:
    said: list[str] = []
    measured = measurement(5)
    measured["endpoints"]["GET /new"] = measured["endpoints"].pop("GET /search")
    baselines.case(baseline(), measured, warn=said.append)
    assert sorted(said) == [
        f"GET /{name} is measured on one side only, and is not compared" for name in ("new", "search")
    ]
    measured["endpoints"] = {"GET /new": measured["endpoints"]["GET /new"]}
    with pytest.raises(ParityError, match="share no endpoint"):
        baselines.case(baseline(), measured)


def test_inputs_stay_as_they_are() -> None:
    old, new = baseline(), measurement(2)
    copies = deepcopy((old, new))
    baselines.case(old, new, environment="cross")
    baselines.text(old)
    assert (old, new) == copies


def test_runs_are_combined() -> None:
    parts = [measurement(seed, probes=100) for seed in (1, 2, 3)]
    for number, part in enumerate(parts):
        part["endpoints"]["GET /search"]["response"]["body"]["n"] = number
    whole = baselines.combined(parts)
    assert len(whole["endpoints"]["GET /search"]["runs"]) == 15 and whole["endpoints"]["GET /search"]["requests"] == 300
    assert whole["endpoints"]["GET /search"]["response"]["varies"] == [["at"], ["n"]]
    assert len(whole["stages"]["parsing"]["runs"]) == 15 and whole["calibration"] == {"seconds": 0.2}
    assert not list(baselines.measurement_problems(whole))
    parts[1]["endpoints"]["GET /search"]["response"] = None
    assert baselines.combined(parts)["endpoints"]["GET /search"]["response"]["body"]["n"] == 0


@pytest.mark.parametrize(("factors", "wanted"), [((1, 1.2, 1), None), ((1, 1.1, 2.6), 2), ((3, 1, 1), 0), ((1,), None)])
def test_a_run_that_was_disturbed(factors: tuple, wanted: int | None) -> None:
    runs = [
        {"endpoints": {"GET /a": {"runs": [[5.0, 6.0, 5.5]]}, "GET /b": {"runs": [[7.0 * factor] * 3 + [None]]}}}
        for factor in factors
    ]
    assert baselines.disturbed(runs) == wanted


def test_sick_environments() -> None:
    well = measurement(1)
    assert not baselines.sickness(well)
    failing, restless = deepcopy(well), deepcopy(well)
    failing["endpoints"]["GET /search"]["errors"] = 6
    restless["endpoints"]["GET /search"]["runs"][2] = [v * 3 for v in well["endpoints"]["GET /search"]["runs"][2]]
    assert baselines.sickness(failing) == ["GET /search: 6 of 1000 requests failed"]
    assert "runs of the same code differ too much" in baselines.sickness(restless)[0]
    parts = [measurement(1), {**measurement(2), "documents": {"requests": 2, "errors": 2, "lost": "it failed"}}]
    assert baselines.sickness(baselines.combined(parts)) == ["the pipeline: it failed"]

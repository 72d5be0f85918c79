# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a validation as data, as JUnit XML and as a few lines of text. plugins/plugin_utils/report/page.py draws it.

A report is built once, from checks and comparisons, so every form of it has the same verdict.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from xml.etree import ElementTree

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.report import headline
from ansible_collections.parity.stack.plugins.plugin_utils.report import timeline as run_timeline

FORMAT, VERSION = "parity-report", 1
PASSED, WARNING, FAILED, NOT_RUN = "passed", "warning", "failed", "not run"
#: The status of a check. `error` is a check that could not be made: it never counts as passed. `not run` is a check for which the
#: inventory has nothing to check: it does not count at all.
STATUSES = ("failed", "error", "warning", "not run", "passed")
SEVERITIES = ("critical", "major", "minor")
_OF_COMPARISON = {"pass": PASSED, "inconclusive": WARNING, "regression": FAILED}
_ORDER = {"regression": 0, "inconclusive": 1, "pass": 2}
_MOST_EVIDENCE = 4000
#: The id of a task that failed.
_TASK = "deployment.failed"


def build(
    *,
    head: dict,
    checks: Iterable[dict] = (),
    comparisons: Iterable[dict] = (),
    stages: dict | None = None,
    timeline: Iterable[dict] = (),
    failures: Iterable[dict] = (),
    notes: Iterable[str] = (),
    not_checked: Iterable[str] = (),
) -> dict:
    """The report. `head` has stack, release, environment and time. Raises ParityError where there is nothing to show.

    The head of a deployment has its `outcome`. `failures` are the tasks that failed, `notes` what was not compared, and why,
    `not_checked` what the application does not offer, and what it would gain.
    """
    comparisons = [_comparison(comparison) for comparison in comparisons]
    failed = [failure for failure in failures if not _told(failure, comparisons)]
    checks = sorted((_check(check) for check in [*map(_of_failure, failed), *checks]), key=_urgency)
    if not checks and not comparisons and not head.get("outcome"):
        raise ParityError("a report needs checks or comparisons, and has neither: nothing was checked. Give at least one.")
    found = [check["outcome"] for check in checks if check["outcome"] != NOT_RUN]
    found += [_OF_COMPARISON.get(comparison["verdict"], WARNING) for comparison in comparisons]
    found += [FAILED] if head.get("outcome", run_timeline.LIVE) != run_timeline.LIVE else []
    nothing_seen = not found and not head.get("outcome")
    verdict = FAILED if FAILED in found else WARNING if WARNING in found or nothing_seen else PASSED
    report = {
        "format": FORMAT,
        "version": VERSION,
        "head": dict(head),
        "verdict": verdict,
        "checks": checks,
        "comparisons": comparisons,
        "stages": stages or {},
        "timeline": sorted(timeline, key=lambda step: step.get("start", 0)),
        "notes": list(notes),
        "not_checked": list(not_checked),
    }
    report["headline"] = _headline(report)
    return report


def _told(failure: dict, comparisons: list[dict]) -> bool:
    """Whether a task failed because of a comparison; the comparison then shows the failure better."""
    message = failure.get("message") or ""
    return any(item["verdict"] != "pass" and item["summary"] and item["summary"] in message for item in comparisons)


def _of_failure(failure: dict) -> dict:
    words = (failure.get("message") or "").strip()
    return {
        "id": _TASK, "title": failure.get("task") or "a task", "group": "deployment", "status": "failed",
        "severity": "critical", "host": failure.get("host") or "", "seen": headline.headline_of(words), "evidence": words,
    }  # fmt: skip


def _check(check: dict) -> dict:
    missing = [key for key in ("id", "title", "status") if not check.get(key)]
    if missing or check["status"] not in STATUSES:
        raise ParityError(
            f"the check {check.get('id') or check!r} needs {', '.join(missing) or 'a status'}; a status is one of {', '.join(STATUSES)}."
        )
    severity = check.get("severity", "major")
    if severity not in SEVERITIES:
        raise ParityError(
            f"the check {check['id']} has the severity {severity!r}; severities: {', '.join(SEVERITIES)}."
        )
    bad = check["status"] in ("failed", "error")
    outcome = check["status"] if check["status"] in (PASSED, NOT_RUN) else FAILED if bad and severity != "minor" else WARNING
    evidence = str(check.get("evidence") or "")
    return {
        "group": "checks",
        "expected": "",
        "seen": "",
        "seconds": 0.0,
        "host": "",
        **check,
        "severity": severity,
        "evidence": evidence[:_MOST_EVIDENCE],
        "outcome": outcome,
    }


def _urgency(check: dict) -> tuple:
    return STATUSES.index(check["status"]), SEVERITIES.index(check["severity"])


def _comparison(comparison: dict) -> dict:
    """One of the judge's answers, worst metrics first, with the data to draw it."""
    verdict = comparison.get("verdict")
    if verdict not in (*_OF_COMPARISON, "not run"):
        raise ParityError(f"the comparison {comparison.get('title')!r} has the verdict {verdict!r}, which is none.")
    metrics = comparison.get("metrics") or {}
    ordered = sorted(metrics.items(), key=lambda item: _ORDER.get(item[1]["verdict"], 1))
    return {
        "title": comparison.get("title") or "comparison",
        "verdict": verdict,
        "summary": comparison.get("summary") or "",
        "metrics": [{"name": name, **metric} for name, metric in ordered],
        "differences": comparison.get("differences") or [],
        "series": comparison.get("series") or {},
        "looks": comparison.get("looks") or [],
        "seconds": comparison.get("seconds") or 0.0,
        "began": comparison.get("began"),
    }


def series_of(sides: dict[str, dict]) -> dict[str, dict[str, list[float]]]:
    """Samples for drawing, from measurements: {endpoint: {side: [milliseconds, ...]}}."""
    names = list(dict.fromkeys(name for side in sides.values() for name in side.get("endpoints", {})))
    return {
        name: {
            title: [value for run in side["endpoints"][name]["runs"] for value in run if value is not None]
            for title, side in sides.items()
            if name in side.get("endpoints", {})
        }
        for name in names
    }


def stages_of(sides: dict[str, dict]) -> dict[str, dict[str, float]]:
    """The median of each stage of the pipeline: {stage: {side: seconds}}."""
    # The last measurement has their order; a file keeps names sorted.
    names = list(dict.fromkeys(name for side in reversed(sides.values()) for name in side.get("stages") or {}))
    found: dict[str, dict[str, float]] = {}
    for name in names:
        for title, side in sides.items():
            values = sorted(
                value
                for run in ((side.get("stages") or {}).get(name) or {"runs": []})["runs"]
                for value in run
                if value is not None
            )
            if values:
                found.setdefault(name, {})[title] = values[len(values) // 2]
    return found


# --- In words ---------------------------------------------------------------------------------------------------------


def _headline(report: dict) -> str:
    """The most important sentence, for a person who reads only one."""
    release, outcome = report["head"].get("release") or "The deployment", report["head"].get("outcome")
    good, bad = {
        None: (None, "is not fine"),
        run_timeline.LIVE: ("is live", "is live, but something is not fine"),
        run_timeline.ROLLED_BACK: (None, "was rolled back"),
    }.get(outcome, (None, "is not live, and was not rolled back"))
    if _broken(report["head"]):
        return _check_words(report["head"])
    if report["verdict"] == FAILED:
        found = reasons(report)
        rest = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        return f"{release} {bad}: {found[0] if found else 'a host could not be reached, or the run was ended'}{rest}"
    if report["verdict"] == WARNING:
        return f"{release} {good or 'shows no failure'}, but not everything is certain"
    if not report["comparisons"]:
        return f"{release} {good or 'works'}"
    return f"{release} {good or 'works'}, and passed every comparison"


def _broken(head: dict) -> bool:
    """Whether the release that is live again after a rollback does not work: that is worse than the first failure."""
    return head.get("outcome") == run_timeline.ROLLED_BACK and (head.get("check") or {}).get("result") == "failed"


def _check_words(head: dict) -> str:
    live = head["check"].get("live") or head.get("before") or "The release before"
    return run_timeline.check_words(live, head["check"], head.get("migrations") or [])


def stays(report: dict) -> list[str]:
    """What a failed deployment leaves, in sentences: migrations, and whether the release that is live again works with them."""
    head = report["head"]
    migrations = head.get("migrations") or []
    checked = head.get("outcome") == run_timeline.ROLLED_BACK and bool(head.get("check")) and not _broken(head)
    told = checked and (migrations or head["check"]["result"] == "passed")
    left = [run_timeline.staying_words(migrations), run_timeline.commands_words(head.get("commands") or [])]
    return [*filter(None, left), *([_check_words(head)] if told else [])]


def reasons(report: dict) -> list[str]:
    """The reasons why a report is bad or uncertain, each in a few words."""
    wanted = "regression" if report["verdict"] == FAILED else "inconclusive"
    found = [
        _reason(metric) for item in report["comparisons"] for metric in item["metrics"] if metric["verdict"] == wanted
    ]
    found += [_of_check(check, short=True) for check in report["checks"] if check["outcome"] == report["verdict"]]
    found += [f"{item['title']}: not run" for item in report["comparisons"] if item["verdict"] == "not run"]
    if report["verdict"] == PASSED:
        return []
    return found or [
        f"{item['title']}: {item['verdict']}" for item in report["comparisons"] if item["verdict"] != "pass"
    ]


def _reason(metric: dict) -> str:
    name, effect = metric["name"], metric.get("effect")
    if metric["verdict"] != "regression" or effect is None or metric["kind"] == "functional":
        if metric["verdict"] != "regression":
            return f"{name} could not be decided"
        return metric["why"].removeprefix(f"{name}: ").rstrip(".")
    if metric["kind"] == "errors":
        return f"{name}: {effect * 100:.1f} points more than before"
    tail = metric.get("tail") or {}
    if metric["kind"] == "latency" and tail.get("verdict") == "regression" and "percentile" in metric["why"]:
        return f"{name}: {tail['rate']:.1%} of the requests are slow, {tail['before']:.1%} were before"
    if metric["kind"] != "latency" and not name.startswith("stage "):
        return f"{name}: {effect:+.0%}"
    return f"{name} takes {effect:.0%} longer" if effect < 2 else f"{name} takes {effect + 1:.0f} times as long"


def counts(report: dict) -> dict[str, int]:
    checks = report["checks"]
    metrics = [metric for item in report["comparisons"] for metric in item["metrics"]]
    # One that is only guarded was not shown to be within a margin, and counts where it is worse.
    metrics = [metric for metric in metrics if not metric.get("guard") or metric["verdict"] != "pass"]
    return {
        "checks": sum(check["outcome"] != NOT_RUN for check in checks),
        "checks not run": sum(check["outcome"] == NOT_RUN for check in checks),
        "checks passed": sum(check["status"] == "passed" for check in checks),
        "metrics": len(metrics),
        "metrics passed": sum(metric["verdict"] == "pass" for metric in metrics),
    }


def text(report: dict) -> str:
    """The summary a run prints: the verdict, what failed, and what is not certain."""
    number = counts(report)
    lines = [report["headline"].rstrip(".") + ".", *stays(report)]
    if number["checks"]:
        more = f" {number['checks not run']} had nothing to check." if number["checks not run"] else ""
        lines.append(f"{number['checks passed']} of {number['checks']} checks passed.{more}")
    if number["metrics"]:
        lines.append(f"{number['metrics passed']} of {number['metrics']} compared metrics are within their margins.")
    for check in report["checks"]:
        if check["outcome"] not in (PASSED, NOT_RUN):
            lines.append(f"- {_status(check)}: {_of_check(check)}")
    for item in report["comparisons"]:
        # Where one metric has decided, the others had no time.
        wanted = "regression" if item["verdict"] == "regression" else "inconclusive"
        lines += [
            f"- {metric['verdict']}: {metric['why']}" for metric in item["metrics"] if metric["verdict"] == wanted
        ]
    lines += [f"- {words}" for words in [*report["notes"], *report["not_checked"]]]
    return "\n".join(lines)


def _status(check: dict) -> str:
    """A check that fails and is minor is a warning everywhere."""
    return WARNING if check["outcome"] == WARNING else check["status"]


def _of_check(check: dict, short: bool = False) -> str:
    where = f" on {check['host']}" if check["host"] else ""
    if short:
        if check["id"] == _TASK and check["seen"]:  # the reason is what people look for
            return f"{str(check['seen']).rstrip('.')} ({check['title']}{where})"
        if check["status"] == "error":
            return f"could not be checked: {check['title']}{where}"
        return f"not so: {check['title']}{where}{' (' + str(check['seen']) + ')' if check['seen'] else ''}"
    seen = f": saw {check['seen']}, expected {check['expected']}" if check["seen"] or check["expected"] else ""
    return f"{check['title']}{where}{seen} [{check['id']}]"


def as_json(report: dict) -> str:
    return json.dumps(report, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


# --- JUnit ------------------------------------------------------------------------------------------------------------


def junit(report: dict) -> str:
    """The report for programs that read test results: a suite for each group of checks and each comparison."""
    root = ElementTree.Element(
        "testsuites", name=f"{report['head'].get('stack', 'parity')} {report['head'].get('release', '')}".strip()
    )
    for group in dict.fromkeys(check["group"] for check in report["checks"]):
        suite = ElementTree.SubElement(root, "testsuite", name=group)
        for check in (check for check in report["checks"] if check["group"] == group):
            name = f"{check['title']} ({check['host']})" if check["host"] else check["title"]
            case = ElementTree.SubElement(
                suite,
                "testcase",
                name=_xml(name),
                classname=_xml(f"{group}.{check['id']}"),
                time=f"{check['seconds']:.3f}",
            )
            _outcome(case, _status(check), _of_check(check), check["evidence"])
        _totals(suite)
    for item in report["comparisons"]:
        suite = ElementTree.SubElement(root, "testsuite", name=_xml(item["title"]))
        for metric in item["metrics"]:
            case = ElementTree.SubElement(
                suite, "testcase", name=_xml(metric["name"]), classname=_xml(item["title"]), time="0"
            )
            status = {"regression": "failed", "inconclusive": "warning"}.get(metric["verdict"], "passed")
            _outcome(case, status, metric["why"], "")
        if not item["metrics"]:
            case = ElementTree.SubElement(suite, "testcase", name="compared", classname=_xml(item["title"]), time="0")
            _outcome(case, WARNING, item["summary"], "")
        _totals(suite)
    if report["verdict"] == FAILED and not [*root.iter("failure"), *root.iter("error")]:
        suite = ElementTree.SubElement(root, "testsuite", name="deployment")
        case = ElementTree.SubElement(suite, "testcase", name="the deployment", classname="deployment", time="0")
        _outcome(case, FAILED, report["headline"], "")
        _totals(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _outcome(case: ElementTree.Element, status: str, words: str, evidence: str) -> None:
    element = {"failed": "failure", "error": "error", "warning": "skipped", NOT_RUN: "skipped"}.get(status)
    if element:
        ElementTree.SubElement(case, element, message=_xml(words)).text = _xml(evidence)


def _totals(suite: ElementTree.Element) -> None:
    suite.set("tests", str(len(suite)))
    for name, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(len(suite.findall(f"testcase/{element}"))))


def _xml(text: str) -> str:
    """Without the characters XML cannot hold."""
    return "".join(
        character
        for character in text
        if character in "\t\n" or 32 <= ord(character) < 0xD800 or 0xE000 <= ord(character) < 0xFFFE
    )

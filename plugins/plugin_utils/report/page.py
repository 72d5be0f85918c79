# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as one HTML page that needs nothing but itself: no scripts, no network, light and dark, on paper too.

`page.html.j2` beside this file is the page. Here is what it shows, and the numbers of what it draws.
"""

from __future__ import annotations

from functools import cache
from math import exp, floor, log, log1p, log10, pi, sqrt
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.report.style import CSS
from ansible_collections.parity.stack.plugins.plugin_utils.report import outcome
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

_SIGNS = {
    "passed": "✓",
    "pass": "✓",
    "warning": "!",
    "inconclusive": "?",
    "failed": "✕",
    "error": "✕",
    "regression": "✕",
    "not run": "\u2013",
    "not decided": "\u2013",
    "guarded": "\u2013",
}
_TONES = {
    "passed": "good", "pass": "good", "warning": "unsure", "inconclusive": "unsure", "not run": "unsure", "not decided": "quiet",
    "guarded": "quiet",
    "failed": "bad", "error": "bad", "regression": "bad",
    "": "",
}  # fmt: skip
_WORDS = {"pass": "within margin", "regression": "worse", "inconclusive": "not certain", "guarded": "no sign of worse"}
_SIDES = {"baseline": "baseline", "old": "live release", "new": "new release"}
_NO_DIFFERENCE = {"endpoint": "", "place": "", "expected": "", "seen": ""}
_MOST_REASONS = 5
_MOST_POINTS = 300  # of a sample, evenly over its order, for a curve
#: The plot of intervals: where "as before" and the margin stand, of its width.
_WIDTH, _ZERO, _MARGIN = 400, 120, 260
_CHART_WIDTH, _CHART_HEIGHT, _BOTTOM = 320, 120, 18


def page(report: dict) -> str:
    """The whole page."""
    plot = {"width": _WIDTH, "zero": _ZERO, "margin": _MARGIN}
    return _template().render(view=_view(report), plot=plot, css=Markup(CSS))  # noqa: S704 (our own style sheet)


@cache
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    environment.filters |= {
        "sign": _SIGNS.__getitem__,
        "tone": _TONES.__getitem__,
        "word": lambda status: _WORDS.get(status, status),
        "title_of_side": _SIDES.__getitem__,
        "duration": _duration,
        "percent": _percent,
        "points": lambda share: f"{share * 100:+.1f}",
    }
    return environment.get_template("page.html.j2")


def _view(report: dict) -> dict:
    """What the page shows, in the order in which it shows it."""
    head = report["head"]
    return {
        "verdict": report["verdict"],
        "title": " ".join(filter(None, [head.get("stack"), head.get("release"), head.get("environment")])) or "Report",
        **_banner(report),
        "tiles": _tiles(report),
        "urgent": _urgent(report["checks"]),
        "comparisons": [_comparison(item) for item in report["comparisons"]],
        **_stages(report["stages"]),
        **_timeline(report["timeline"]),
        "notes": report["notes"],
        "not_checked": [_not_checked(words) for words in report["not_checked"]],
        "groups": _groups(report["checks"]),
        "format": f"{outcome.FORMAT} {outcome.VERSION}",
    }


def _not_checked(words: str) -> tuple[str, str]:
    """What is not checked, and what to add for it, from a line of inputs/contract.py."""
    what, _mark, remedy = words.rpartition("not checked: ")[2].rstrip(".").partition("; ")
    return what, remedy


# --- The top ----------------------------------------------------------------------------------------------------------


def _banner(report: dict) -> dict:
    head = report["head"]
    labels = {"stack": "stack", "environment": "environment", "at": "at", "by": "by", "before": "live before"}
    found = outcome.reasons(report)
    # One reason stands in the headline already.
    listed = found if len(found) > 1 or report["verdict"] == outcome.WARNING else []
    more = [f"and {len(listed) - _MOST_REASONS} more"] if len(listed) > _MOST_REASONS else []
    broken = (head.get("check") or {}).get("result") == "failed"
    return {
        "headline": report["headline"].split(": ")[0] if listed and not broken else report["headline"],
        "reasons": listed[:_MOST_REASONS] + more,
        "stays": outcome.stays(report),
        "facts": [(label, head[key]) for key, label in labels.items() if head.get(key)],
    }


def _tiles(report: dict) -> list[tuple[str, str]]:
    number = outcome.counts(report)
    tiles = []
    if number["checks"]:
        more = f", {number['checks not run']} had nothing to check" if number["checks not run"] else ""
        tiles.append((f"{number['checks passed']} / {number['checks']}", f"checks passed{more}"))
    if number["metrics"]:
        tiles.append((f"{number['metrics passed']} / {number['metrics']}", "metrics within margin"))
    changed = [
        m
        for item in report["comparisons"]
        for m in item["metrics"]
        if m["kind"] == "latency" and m.get("effect") is not None and not m.get("guard")
    ]
    if changed:
        most = max(changed, key=lambda metric: metric["effect"])
        tiles.append((_percent(most["effect"]), f"largest change: {most['name']}"))
    seconds = sum(item["seconds"] for item in report["comparisons"])
    if seconds:
        tiles.append((_duration(seconds), "spent on comparing"))
    if report["head"].get("seconds"):
        tiles.append((_duration(report["head"]["seconds"]), "the whole deployment"))
    return tiles


# --- Checks -----------------------------------------------------------------------------------------------------------


def _urgent(checks: list[dict]) -> list[list[dict]]:
    """Checks that are not as expected. A finding of several hosts stands here once."""
    alike: dict[tuple, list[dict]] = {}
    for check in checks:
        if check["outcome"] not in (outcome.PASSED, outcome.NOT_RUN):
            alike.setdefault((check["id"], check["title"], check["outcome"]), []).append(check)
    return [[{**found[0], **_details(found)}, *found[1:]] for found in alike.values()]


def _details(alike: list[dict]) -> dict:
    check, several = alike[0], len(alike) > 1
    details = [("expected", check["expected"])]
    details += [(one["host"], one["seen"]) for one in alike] if several else [("seen", check["seen"]), ("host", check["host"])]
    told = [f"{one['host']}: {one['evidence']}" if several else one["evidence"] for one in alike if one["evidence"]]
    return {
        "shown": _shown(check),
        "details": [(name, value) for name, value in details if value not in ("", None)],
        "told": "\n".join(map(str, told)),
    }


def _shown(check: dict) -> str:
    """The status that a check counts as: a minor one that failed is a warning."""
    return check["outcome"] if check["outcome"] == outcome.WARNING else check["status"]


def _groups(checks: list[dict]) -> list[dict]:
    groups = []
    for name in dict.fromkeys(check["group"] for check in checks):
        found = [{**check, "shown": _shown(check)} for check in checks if check["group"] == name]
        groups.append({
            "name": name,
            "checks": found,
            "good": sum(check["status"] == "passed" for check in found),
            "made": sum(check["outcome"] != outcome.NOT_RUN for check in found),
        })  # fmt: skip
    return groups


# --- Comparisons ------------------------------------------------------------------------------------------------------


def _comparison(item: dict) -> dict:
    looks = item["looks"]
    ended = item["verdict"] == "regression" and any(metric["verdict"] == "inconclusive" for metric in item["metrics"])
    verdicts = {metric["name"]: metric["verdict"] for metric in item["metrics"]}
    worst_first = sorted(item["series"].items(), key=lambda entry: verdicts.get(entry[0]) != "regression")
    charts = [_chart(name, {side: sides[side] for side in _SIDES if len(sides.get(side) or []) >= 8}) for name, sides in worst_first]
    return {
        "title": item["title"][:1].upper() + item["title"][1:],
        "told": f"{looks[-1]['probes']} probes an endpoint, {_duration(item['seconds'])}" if looks else "",
        "ended": ended,
        "metrics": [_metric(metric, quiet=ended) for metric in item["metrics"]],
        "differences": [{**_NO_DIFFERENCE, **one} for one in item["differences"] if isinstance(one, dict)],
        "charts": [chart for chart in charts if chart],
        "sides": [side for side in _SIDES if any(sides.get(side) for sides in item["series"].values())],
    }


def _metric(metric: dict, quiet: bool) -> dict:
    told = metric["verdict"] == "regression" or (metric["verdict"] == "inconclusive" and not quiet)
    verdict = "not decided" if quiet and metric["verdict"] == "inconclusive" else metric["verdict"]
    words = metric["why"].removeprefix(f"{metric['name']}: ")
    return {
        "effect": None, "low": None, "high": None, **metric,
        "shown": "guarded" if verdict == "pass" and metric.get("guard") else verdict,
        "told": words[:1].upper() + words[1:] if told else "",
        "drawn": _interval(metric),
    }  # fmt: skip


def _interval(metric: dict) -> dict:
    if metric["kind"] == "functional" or metric.get("effect") is None:
        return {}
    low, middle, high = (_place(metric, metric[key]) for key in ("low", "effect", "high"))
    return {
        "tone": _TONES["guarded" if metric.get("guard") and metric["verdict"] == "pass" else metric["verdict"]],
        "low": f"{low:.1f}",
        "middle": f"{middle:.1f}",
        "length": f"{max(high - low, 2):.1f}",
    }


def _place(metric: dict, value: float) -> float:
    """Where a change stands: every metric is drawn in units of its own margin, so that all share one axis."""
    margin = metric.get("margin") or 0.25
    share = value / margin if metric["kind"] == "errors" else log1p(max(value, -0.95)) / log1p(margin)
    return min(max(_ZERO + share * (_MARGIN - _ZERO), 4), _WIDTH - 4)


# --- Distributions ----------------------------------------------------------------------------------------------------


def _chart(name: str, sides: dict[str, list[float]]) -> dict:
    if not sides:
        return {}
    ordered = {side: sorted(log(max(value, 1e-6)) for value in values) for side, values in sides.items()}
    low = min(_quantile(values, 0.005) for values in ordered.values())
    high = max(_quantile(values, 0.99) for values in ordered.values())
    low, high = low - 0.06 * (high - low) - 0.05, high + 0.06 * (high - low) + 0.05
    grid = [low + (high - low) * step / 90 for step in range(91)]
    curves = {side: _density(values, grid) for side, values in ordered.items()}
    peak = max(max(curve) for curve in curves.values())
    floor_y = _CHART_HEIGHT - _BOTTOM

    def x(value: float) -> float:
        return (value - low) / (high - low) * _CHART_WIDTH

    def points(curve: list[float]) -> str:
        return " ".join(f"{x(at):.1f},{floor_y - height / peak * (floor_y - 8):.1f}" for at, height in zip(grid, curve))

    return {
        "name": name,
        "width": _CHART_WIDTH,
        "height": _CHART_HEIGHT,
        "floor": floor_y,
        "curves": [
            {
                "side": side,
                "points": points(curve),
                "opacity": 0.16 if side == "new" else 0.1,
                "median": f"{x(_quantile(ordered[side], 0.5)):.1f}",
                "tail": f"{x(_quantile(ordered[side], 0.95)):.1f}",
            }
            for side, curve in curves.items()
        ],
        "ticks": [
            (f"{x(log(tick)):.1f}", _milliseconds(tick))
            for tick in _ticks(exp(low), exp(high))
            if 12 < x(log(tick)) < _CHART_WIDTH - 16
        ],
        "medians": " → ".join(
            _milliseconds(exp(_quantile(ordered[side], 0.5)))
            for side in _SIDES
            if side in ordered and (side != "baseline" or len(ordered) < 3)
        ),
    }


def _quantile(ordered: list[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _density(ordered: list[float], grid: list[float]) -> list[float]:
    """A smooth curve over the values, with Silverman's width."""
    size = len(ordered)
    spread = (_quantile(ordered, 0.75) - _quantile(ordered, 0.25)) / 1.34
    mean = sum(ordered) / size
    deviation = sqrt(sum((value - mean) ** 2 for value in ordered) / size)
    width = max(0.9 * min(spread or deviation, deviation) * size**-0.2, 0.012 * (grid[-1] - grid[0]), 1e-6)
    step = max(1, size // _MOST_POINTS)
    values = ordered[step // 2 :: step]
    scale = 1 / (len(values) * width * sqrt(2 * pi))
    return [scale * sum(exp(-0.5 * ((at - value) / width) ** 2) for value in values) for at in grid]


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between two ends of a logarithmic axis."""
    found = [base * 10.0**power for power in range(floor(log10(low)) - 1, floor(log10(high)) + 2) for base in (1, 2, 5)]
    inside = [tick for tick in found if low <= tick <= high]
    if len(inside) < 3:
        step = 10.0 ** floor(log10(max(high - low, 1e-9)))
        step = step / 2 if (high - low) / step < 3 else step
        inside = [
            step * n for n in range(int(low / step), int(high / step) + 2) if low <= step * n <= high and step * n > 0
        ]
    return inside if len(inside) <= 6 else inside[:: len(inside) // 6 + 1]


# --- Stages and timeline ----------------------------------------------------------------------------------------------


def _stages(stages: dict[str, dict[str, float]]) -> dict:
    longest = max((value for sides in stages.values() for value in sides.values()), default=0) or 1
    return {
        "stages": [
            (name, [(side, f"{70 * sides[side] / longest:.1f}", sides[side]) for side in _SIDES if side in sides])
            for name, sides in stages.items()
        ],
        "stage_sides": [side for side in _SIDES if any(side in sides for sides in stages.values())],
    }


def _timeline(steps: list[dict]) -> dict:
    began = min((step["start"] for step in steps), default=0)
    length = max(max((step["start"] + step.get("seconds", 0) for step in steps), default=0) - began, 1e-6)
    return {
        "length": length,
        "steps": [
            {
                "what": step["what"],
                "status": step.get("status") or "",
                "left": f"{100 * (step['start'] - began) / length:.2f}",
                "width": f"{100 * step.get('seconds', 0) / length:.2f}",
                "seconds": step.get("seconds", 0),
            }
            for step in steps
        ],
    }


# --- Numbers ----------------------------------------------------------------------------------------------------------


def _percent(value: float | None) -> str:
    if value is None:
        return "unknown"
    if value >= 9.995:
        return f"\u00d7{value + 1:.0f}" if value < 1e4 else "more than \u00d710000"
    return (f"{value:+.0%}" if abs(value) >= 0.0995 else f"{value:+.1%}").replace("-", "\u2212")


def _milliseconds(value: float) -> str:
    if value >= 1000:
        return f"{value / 1000:.3g} s"
    return f"{value:.3g} ms"


def _duration(seconds: float) -> str:
    if seconds >= 60:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return _milliseconds(seconds * 1000) if seconds else "0 s"

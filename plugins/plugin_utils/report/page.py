# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as one HTML page that needs nothing but itself: no scripts, no network, light and dark, on paper too."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from math import exp, floor, log, log1p, log10, pi, sqrt

from ansible_collections.parity.stack.plugins.module_utils.report.style import CSS
from ansible_collections.parity.stack.plugins.plugin_utils.report import outcome

_MARKS = {
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
}  # fmt: skip
_WORDS = {"pass": "within margin", "regression": "worse", "inconclusive": "not certain", "guarded": "no sign of worse"}
_SIDES = ("baseline", "old", "new")
_MOST_REASONS = 5
_MOST_POINTS = 300  # of a sample, evenly over its order, for a curve


def page(report: dict) -> str:
    """The whole page."""
    head = report["head"]
    title = " ".join(filter(None, [head.get("stack"), head.get("release"), head.get("environment")])) or "Report"
    parts = [
        _banner(report),
        _tiles(report),
        _urgent_checks(report),
        *(part for item in report["comparisons"] for part in _comparison(item)),
        _stages(report["stages"]),
        _timeline(report["timeline"]),
        _notes(report["notes"]),
        _all_checks(report),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # The page loads nothing, so nobody else sees who opens it.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{_e(report['verdict'])}: {_e(title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(filter(None, parts))
        + f"\n<footer>{_footer(report)}</footer>\n</main>\n</body>\n</html>\n"
    )


def _e(value: object) -> str:
    return escape(str(value), quote=True)


def _mark(status: str) -> str:
    return f'<span class="mark {_TONES[status]}" role="img" aria-label="{_e(status)}">{_MARKS[status]}</span>'


def _pill(status: str) -> str:
    return f'<span class="pill {_TONES[status]}">{_MARKS[status]} {_e(_WORDS.get(status, status))}</span>'


# --- The top ----------------------------------------------------------------------------------------------------------


def _banner(report: dict) -> str:
    head = report["head"]
    facts = [
        (head.get(key), label)
        for key, label in (
            ("stack", "stack"),
            ("environment", "environment"),
            ("at", "at"),
            ("by", "by"),
            ("before", "live before"),
        )
    ]
    told = "".join(f"<span>{_e(label)} <b>{_e(value)}</b></span>" for value, label in facts if value)
    found = outcome.reasons(report)
    # One reason stands in the headline already.
    listed = found if len(found) > 1 or report["verdict"] == outcome.WARNING else []
    more = [f"and {len(listed) - _MOST_REASONS} more"] if len(listed) > _MOST_REASONS else []
    items = "".join(f"<li>{_e(words)}</li>" for words in listed[:_MOST_REASONS] + more)
    broken = (head.get("check") or {}).get("result") == "failed"
    headline = report["headline"].split(": ")[0] if listed and not broken else report["headline"]
    stays = "".join(f"<p>{_e(words)}</p>" for words in outcome.stays(report))
    return (
        f'<div class="banner {_TONES[report["verdict"]]}">{_mark(report["verdict"])}<div><h1>{_e(headline)}</h1>'
        f"{f'<ul>{items}</ul>' if items else ''}{stays}"
        f'<p class="facts soft small">{told}</p></div></div>'
    )


def _tiles(report: dict) -> str:
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
    return (
        '<div class="tiles">'
        + "".join(f'<div class="tile"><b>{_e(a)}</b><span>{_e(b)}</span></div>' for a, b in tiles)
        + "</div>"
    )


def _notes(notes: list[str]) -> str:
    items = "".join(f"<li>{_e(words)}</li>" for words in notes)
    return f'<section><div class="head"><h2>Not compared</h2></div><ul class="notes soft">{items}</ul></section>' if notes else ""


def _footer(report: dict) -> str:
    if not report["comparisons"]:
        return f"Format {outcome.FORMAT} {outcome.VERSION}."
    return (
        "A metric is worse when the whole range of its likely change lies above what is tolerated, and within its margin when the whole "
        "range lies below the margin. Everything else is not certain. The chance of a false alarm is at most 1 % a comparison. "
        f"Format {outcome.FORMAT} {outcome.VERSION}."
    )


# --- Checks -----------------------------------------------------------------------------------------------------------


def _urgent_checks(report: dict) -> str:
    urgent = [check for check in report["checks"] if check["outcome"] not in (outcome.PASSED, outcome.NOT_RUN)]
    if not urgent:
        return ""
    # A finding of several hosts stands here once.
    alike: dict[tuple, list[dict]] = {}
    for check in urgent:
        alike.setdefault((check["id"], check["title"], check["outcome"]), []).append(check)
    return f'<section><div class="head"><h2>What to check first</h2></div>{"".join(map(_checks, alike.values()))}</section>'


def _checks(alike: list[dict]) -> str:
    """A check that is not as expected, on one host or on several."""
    check, several = alike[0], len(alike) > 1
    details = [("expected", check["expected"])]
    details += [(one["host"], one["seen"]) for one in alike] if several else [("seen", check["seen"]), ("host", check["host"])]
    rows = "".join(f"<dt>{_e(name)}</dt><dd>{_e(value)}</dd>" for name, value in details if value not in ("", None))
    told = "\n".join(f"{one['host']}: {one['evidence']}" if several else one["evidence"] for one in alike if one["evidence"])
    evidence = f"<pre>{_e(told)}</pre>" if told else ""
    about = " · ".join([check["group"], check["id"], check["severity"], _duration(max(one["seconds"] for one in alike))])
    mark = _mark(_shown(check))
    title = f'<span class="name">{_e(check["title"])}</span> <span class="soft small">{_e(about)}</span>'
    return f'<div class="check">{mark}<div>{title}{f"<dl>{rows}</dl>" if rows else ""}{evidence}</div></div>'


def _shown(check: dict) -> str:
    """The status that a check counts as: a minor one that failed is a warning."""
    return check["outcome"] if check["outcome"] == outcome.WARNING else check["status"]


def _all_checks(report: dict) -> str:
    if not report["checks"]:
        return ""
    groups = []
    for group in dict.fromkeys(check["group"] for check in report["checks"]):
        found = [check for check in report["checks"] if check["group"] == group]
        good = sum(check["status"] == "passed" for check in found)
        made = sum(check["outcome"] != outcome.NOT_RUN for check in found)
        rows = "".join(
            f"<tr><td>{_mark_small(_shown(check))} {_e(check['title'])}</td><td style='white-space: nowrap'>{_e(check['host'])}</td>"
            f"<td>{_e(check['seen'])}</td>"
            f"<td class='value'>{_duration(check['seconds'])}</td></tr>"
            for check in found
        )
        groups.append(
            f"<details><summary>{_e(group)}: {good} of {made} passed</summary><table><thead><tr><th>check</th><th>host</th>"
            f"<th>seen</th><th>took</th></tr></thead><tbody>{rows}</tbody></table></details>"
        )
    return f'<section><div class="head"><h2>All checks</h2></div>{"".join(groups)}</section>'


def _mark_small(status: str) -> str:
    return f'<b class="{_TONES[status]}" style="color: var(--tone)">{_MARKS[status]}</b>'


# --- Comparisons ------------------------------------------------------------------------------------------------------


def _comparison(item: dict) -> Iterable[str]:
    looks = item["looks"]
    told = f"{looks[-1]['probes']} probes an endpoint, {_duration(item['seconds'])}" if looks else ""
    ended = item["verdict"] == "regression" and any(metric["verdict"] == "inconclusive" for metric in item["metrics"])
    rows = "".join(_metric(metric, quiet=ended) for metric in item["metrics"])
    note = (
        "The comparison ended as soon as one metric was certainly worse; the others had no time to be decided."
        if ended
        else ""
    )
    axis = (
        f'<div class="row axis"><span class="name"></span><div class="plot">{_axis()}</div>'
        '<span class="value">change (likely range)</span><span></span></div>'
        if item["metrics"]
        else ""
    )
    yield (
        f'<section><div class="head"><h2>{_e(item["title"][:1].upper() + item["title"][1:])}: what differs, and by how much</h2>'
        f'<span class="soft small">{_e(told)}</span></div>{axis}{rows}'
        f"{_differences(item['differences'])}<p class='soft small note'>{note}</p></section>"
    )
    yield _distributions(item)


def _metric(metric: dict, quiet: bool) -> str:
    told = metric["verdict"] == "regression" or (metric["verdict"] == "inconclusive" and not quiet)
    verdict = "not decided" if quiet and metric["verdict"] == "inconclusive" else metric["verdict"]
    verdict = "guarded" if verdict == "pass" and metric.get("guard") else verdict
    words = metric["why"].removeprefix(f"{metric['name']}: ")
    why = f'<span class="why">{_e(words[:1].upper() + words[1:])}</span>' if told else ""
    return (
        f'<div class="row"><span class="name">{_e(metric["name"])}</span><div class="plot">{_interval(metric)}</div>'
        f'<span class="value">{_effect(metric)}</span>{_pill(verdict)}{why}</div>'
    )


def _effect(metric: dict) -> str:
    effect, low, high = (metric.get(key) for key in ("effect", "low", "high"))
    if metric["kind"] == "functional":
        return (
            "<b>identical</b>"
            if metric["verdict"] == "pass"
            else f"<b>{_e(effect or 0)}</b> differences"
            if effect
            else "not compared"
        )
    if effect is None:
        return "not measured"
    if metric["kind"] == "errors":
        return (
            f'<b>{effect * 100:+.1f} points</b> <span class="soft small">{low * 100:+.1f} to {high * 100:+.1f}</span>'
        )
    return f'<b>{_percent(effect)}</b> <span class="soft small">{_percent(low)} to {_percent(high)}</span>'


#: The plot of intervals: where "as before" and the margin stand, of a width of 400.
_WIDTH, _ZERO, _MARGIN = 400, 120, 260


def _place(metric: dict, value: float) -> float:
    """Where a change stands: every metric is drawn in units of its own margin, so that all share one axis."""
    margin = metric.get("margin") or 0.25
    share = value / margin if metric["kind"] == "errors" else log1p(max(value, -0.95)) / log1p(margin)
    return min(max(_ZERO + share * (_MARGIN - _ZERO), 4), _WIDTH - 4)


def _axis() -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} 14" aria-hidden="true"><text x="{_ZERO}" y="11" text-anchor="middle">as before</text>'
        f'<text x="{_MARGIN}" y="11" text-anchor="middle">margin</text><text x="0" y="11">better</text>'
        f'<text x="{_WIDTH}" y="11" text-anchor="end">worse</text></svg>'
    )


def _interval(metric: dict) -> str:
    if metric["kind"] == "functional" or metric.get("effect") is None:
        return ""
    low, middle, high = (_place(metric, metric[key]) for key in ("low", "effect", "high"))
    tone = _TONES["guarded" if metric.get("guard") and metric["verdict"] == "pass" else metric["verdict"]]
    return (
        f'<svg class="{tone}" viewBox="0 0 {_WIDTH} 22" role="img" aria-label="{_e(metric["why"])}">'
        f'<rect x="{_MARGIN}" width="{_WIDTH - _MARGIN}" height="22" style="fill: var(--bad-soft)" opacity=".55"/>'
        f'<line x1="{_ZERO}" x2="{_ZERO}" y2="22" style="stroke: var(--soft)" stroke-dasharray="2 2"/>'
        f'<line x1="{_MARGIN}" x2="{_MARGIN}" y2="22" style="stroke: var(--bad)" opacity=".6"/>'
        f'<rect x="{low:.1f}" y="8" width="{max(high - low, 2):.1f}" height="6" rx="3" style="fill: var(--tone)" opacity=".38"/>'
        f'<circle cx="{middle:.1f}" cy="11" r="5" style="fill: var(--tone); stroke: var(--card)" stroke-width="1.5"/></svg>'
    )


def _differences(differences: list[dict]) -> str:
    if not differences:
        return ""
    rows = "".join(
        f"<tr><td>{_e(item.get('endpoint', ''))}</td><td><code>{_e(item.get('place', ''))}</code></td>"
        f"{_cell(item.get('expected'))}{_cell(item.get('seen'))}</tr>"
        for item in differences
        if isinstance(item, dict)
    )
    return f"<table><thead><tr><th>answer of</th><th>where</th><th>was</th><th>is</th></tr></thead><tbody>{rows}</tbody></table>"


def _cell(value: object) -> str:
    return f"<td><code>{_e(value)}</code></td>" if value not in ("", None) else '<td class="soft">nothing</td>'


# --- Distributions ----------------------------------------------------------------------------------------------------


def _distributions(item: dict) -> str:
    verdicts = {metric["name"]: metric["verdict"] for metric in item["metrics"]}
    charts = [
        _chart(name, {side: sides[side] for side in _SIDES if len(sides.get(side) or []) >= 8})
        for name, sides in sorted(item["series"].items(), key=lambda entry: verdicts.get(entry[0]) != "regression")
    ]
    charts = [chart for chart in charts if chart]
    if not charts:
        return ""
    present = [side for side in _SIDES if any(sides.get(side) for sides in item["series"].values())]
    legend = "".join(f'<span><i style="border-color: var(--{side})"></i>{_e(_title(side))}</span>' for side in present)
    return (
        '<section><div class="head"><h2>How long answers take</h2>'
        f'<span class="legend">{legend}</span></div><div class="charts">{"".join(charts)}</div>'
        '<p class="soft small" style="margin-top: 14px">Height is how many requests take that long, on a logarithmic scale. '
        "Dots mark the median, ticks the 95th percentile.</p></section>"
    )


def _title(side: str) -> str:
    return {"baseline": "baseline", "old": "live release", "new": "new release"}[side]


_CHART_WIDTH, _CHART_HEIGHT, _BOTTOM = 320, 120, 18


def _chart(name: str, sides: dict[str, list[float]]) -> str:
    if not sides:
        return ""
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

    shapes = []
    for side, curve in curves.items():
        points = [(x(at), floor_y - height / peak * (floor_y - 8)) for at, height in zip(grid, curve)]
        line = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        fill = 0.16 if side == "new" else 0.1
        dashes = ' stroke-dasharray="5 3"' if side == "baseline" else ""
        shapes.append(
            f'<polygon points="0,{floor_y} {line} {_CHART_WIDTH},{floor_y}" style="fill: var(--{side})" opacity="{fill}"/>'
            f'<polyline points="{line}" fill="none" style="stroke: var(--{side})" stroke-width="1.8"{dashes}/>'
        )
    for side, values in ordered.items():
        median, tail = x(_quantile(values, 0.5)), x(_quantile(values, 0.95))
        shapes.append(
            f'<line x1="{tail:.1f}" x2="{tail:.1f}" y1="{floor_y - 9}" y2="{floor_y}" style="stroke: var(--{side})" stroke-width="2"/>'
            f'<circle cx="{median:.1f}" cy="{floor_y}" r="4" style="fill: var(--{side}); stroke: var(--card)" stroke-width="1.5"/>'
        )
    ticks = "".join(
        f'<text x="{x(log(tick)):.1f}" y="{_CHART_HEIGHT - 3}" text-anchor="middle">{_milliseconds(tick)}</text>'
        for tick in _ticks(exp(low), exp(high))
        if 12 < x(log(tick)) < _CHART_WIDTH - 16
    )
    medians = " → ".join(
        _milliseconds(exp(_quantile(ordered[side], 0.5)))
        for side in _SIDES
        if side in ordered and (side != "baseline" or len(ordered) < 3)
    )
    return (
        f'<figure><figcaption><span class="name">{_e(name)}</span><span class="soft small value">{medians}</span></figcaption>'
        f'<svg viewBox="0 0 {_CHART_WIDTH} {_CHART_HEIGHT}" role="img" aria-label="{_e(name)}: medians {_e(medians)}">{"".join(shapes)}'
        f'<line x1="0" x2="{_CHART_WIDTH}" y1="{floor_y}" y2="{floor_y}" style="stroke: var(--line)"/>{ticks}</svg></figure>'
    )


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


def _stages(stages: dict[str, dict[str, float]]) -> str:
    if not stages:
        return ""
    longest = max(value for sides in stages.values() for value in sides.values()) or 1
    rows = ""
    for name, sides in stages.items():
        bars = "".join(
            f'<div class="bar"><i style="width: {70 * sides[side] / longest:.1f}%; background: var(--{side})"></i>'
            f"{_duration(sides[side])}</div>"
            for side in _SIDES
            if side in sides
        )
        rows += f'<span class="name">{_e(name)}</span><div>{bars}</div>'
    present = [side for side in _SIDES if any(side in sides for sides in stages.values())]
    legend = "".join(f'<span><i style="border-color: var(--{side})"></i>{_e(_title(side))}</span>' for side in present)
    return (
        f'<section><div class="head"><h2>Stages of the pipeline</h2><span class="legend">{legend}</span></div>'
        f'<div class="bars">{rows}</div></section>'
    )


def _timeline(steps: list[dict]) -> str:
    if not steps:
        return ""
    began = min(step["start"] for step in steps)
    length = max(max(step["start"] + step.get("seconds", 0) for step in steps) - began, 1e-6)
    rows = "".join(
        f'<span class="name">{_e(step["what"])}</span><div class="track {_TONES.get(step.get("status", ""), "")}">'
        f'<i style="left: {100 * (step["start"] - began) / length:.2f}%; width: {100 * step.get("seconds", 0) / length:.2f}%"></i></div>'
        f'<span class="soft value">{_duration(step.get("seconds", 0))}</span>'
        for step in steps
    )
    return (
        f'<section><div class="head"><h2>The deployment, step by step</h2><span class="soft small">{_duration(length)} in all</span></div>'
        f'<div class="steps">{rows}</div></section>'
    )


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

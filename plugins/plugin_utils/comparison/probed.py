# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to probe of an application's web processes, from as little as a health path for each of them."""

from __future__ import annotations

#: The whole answer may differ: a health path tells times and releases, and its status is what counts.
_ANY_ANSWER = ["@"]


def web(processes: list[dict]) -> list[dict]:
    """The processes that answer requests, and say with which path they show that they can."""
    return [process for process in processes if process.get("web") and process.get("port") and process.get("health_path")]


def asked(processes: list[dict], *, url: str, health_path: str, version_path: str) -> list[dict]:
    """Each web process with `name`, `url`, `health_path` and `version_path`; what answers at `url` where no process is named."""
    if not processes:
        return [{"name": "the API", "url": url.rstrip("/"), "health_path": health_path, "version_path": version_path}]
    return [
        {
            "name": process["name"],
            "url": f"http://127.0.0.1:{process['port']}",
            "health_path": process["health_path"],
            "version_path": process.get("version_path") or "",
        }
        for process in web(processes)
    ]


def at_gateway(processes: list[dict], url: str) -> list[dict]:
    """The same as `asked`, at the gateway: processes whose health and version paths it routes to them."""
    known = web(processes)
    found = []
    for process in known:
        paths = {key: process.get(key) or "" for key in ("health_path", "version_path")}
        mine = {key: path if path and owner(known, path) is process else "" for key, path in paths.items()}
        if any(mine.values()):
            found.append({"name": process["name"], "url": url.rstrip("/"), **mine})
    return found


def requests(processes: list[dict], release: str, *, url: str, health_path: str, version_path: str) -> list[dict]:
    """The requests of parity.stack.http_probe that show that each process works, and where it tells that, with which release."""
    found = []
    for process in asked(processes, url=url, health_path=health_path, version_path=version_path):
        name, place = process["name"].replace("the ", "The "), process["url"]
        found.append({"name": f"{name} is healthy", "url": place + process["health_path"]})
        if process["version_path"]:
            found.append({"name": f"{name} runs the release", "url": place + process["version_path"], "json": {"release": release}})
    return found


def measured(processes: list[dict], endpoints: list[dict], *, places: dict[str, dict[str, int]], pipeline: object = None) -> dict:
    """What is measured of web processes: `places` and `endpoints` of parity.stack.endpoint_samples, and `metrics_path`.

    `places` has for each place the ports of its processes by name; a process that is not at every place is not measured. An
    endpoint belongs to the process whose `path` it begins with, as at the gateway. Of a process with no endpoint of its own the
    health path is measured. Nothing is returned where nothing can be measured.
    """
    known, wanted, found = web(processes), usable(endpoints, pipeline), []
    there = [process for process in known if all(process["name"] in ports for ports in places.values())]
    if not there:
        return {}
    first = next((process for process in there if process is owner(known, "/")), there[0])
    for process in [first, *(one for one in there if one is not first)]:
        urls = {place: f"http://127.0.0.1:{ports[process['name']]}" for place, ports in places.items()}
        own = [item for item in wanted if owner(known, item["path"]) is process] or [_health(process["health_path"])]
        found += own if process is first else [_elsewhere(item, process["name"], urls) for item in own]
    return {
        "places": {place: f"http://127.0.0.1:{ports[first['name']]}" for place, ports in places.items()},
        "endpoints": found,
        "metrics_path": first.get("metrics_path") or "",
    }


def units(processes: list[dict], stack: str, slot: str) -> list[dict]:
    """The units whose memory and processor time are compared: those in the slot of the new release with those in the other slot.

    What exists once in the stack does not run in the canary.
    """
    before = {"blue": "green", "green": "blue"}.get(slot)
    if before is None:
        return []
    answering = [process["name"] for process in web(processes)]
    return [
        {
            "name": process["name"],
            "asked": process["name"] in answering,
            "units": {place: f"{stack}-{process['name']}@{each}.service" for place, each in (("old", before), ("new", slot))},
        }
        for process in processes
        if not process.get("singleton")
    ]


def at_url(endpoints: list[dict], *, health_path: str, pipeline: object = None) -> list[dict]:
    """The endpoints to measure of what answers at one URL: its health path, where none is named."""
    return usable(endpoints, pipeline) or [_health(health_path)]


def usable(endpoints: list[dict], pipeline: object) -> list[dict]:
    """The endpoints that can be probed: without a pipeline there is no document to ask for."""
    return [item for item in endpoints if pipeline or "{id}" not in item.get("path", "")]


def owner(processes: list[dict], path: str) -> dict | None:
    """The process that the gateway routes a path to: the one with the longest prefix of it. The first one without any has all paths.

    A process with a domain of its own answers nothing at the gateway's own name.
    """
    plain = path.partition("?")[0]
    best, longest = None, -1
    for number, process in enumerate(one for one in processes if not one.get("domain")):
        prefix = (process.get("path") or ("/" if number == 0 else "")).rstrip("/")
        named = bool(process.get("path")) or number == 0
        if named and (plain == prefix or plain.startswith(f"{prefix}/")) and len(prefix) > longest:
            best, longest = process, len(prefix)
    return best


def _health(path: str) -> dict:
    return {"path": path, "masks": _ANY_ANSWER}


def _elsewhere(item: dict, name: str, urls: dict[str, str]) -> dict:
    title = item.get("name") or f"{item.get('method') or 'GET'} {item['path']}"
    return {**item, "name": f"{name}: {title}", "places": urls}

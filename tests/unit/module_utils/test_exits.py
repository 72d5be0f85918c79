# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets are planted in whatever programs say, in every form, and looked for in whatever leaves."""

from __future__ import annotations

import base64
import html
import importlib
import json
import re
import shlex
import urllib.parse
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible.module_utils.common.parameters import remove_values
from ansible_collections.parity.stack.plugins.filter.failed_tasks import failed_tasks
from ansible_collections.parity.stack.plugins.filter.failure_message import failure_message
from ansible_collections.parity.stack.plugins.module_utils.checks import leaks
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.masking import Mask, fail_masked, mask_module
from ansible_collections.parity.stack.plugins.module_utils.release import journal, slots
from ansible_collections.parity.stack.plugins.module_utils.release.installer import Installer
from ansible_collections.parity.stack.plugins.module_utils.release.layout import Layout
from ansible_collections.parity.stack.plugins.module_utils.release.planner import Planner
from ansible_collections.parity.stack.plugins.module_utils.release.run import Run
from ansible_collections.parity.stack.plugins.modules import deployment_run
from ansible_collections.parity.stack.plugins.plugin_utils.report import files as report_files
from ansible_collections.parity.stack.plugins.plugin_utils.report import outcome
from checkout import ROOT

PASSWORD = "g%@:/'\"$\\+&<> ün !hunter"
URL = f"postgresql://owner:{urllib.parse.quote(PASSWORD, safe='')}@10.0.0.1:5432/shop"
SECRETS = {"DATABASE_URL": URL, "KEY": PASSWORD}
PLANTED = {
    "raw": PASSWORD,
    "url": URL,
    "percent": urllib.parse.quote(PASSWORD, safe=""),
    "percent, lower": re.sub("%..", lambda found: found[0].lower(), urllib.parse.quote(PASSWORD)),
    "percent, twice": urllib.parse.quote(urllib.parse.quote(PASSWORD, safe=""), safe=""),
    "configparser": URL.replace("%", "%%"),
    "json": json.dumps(URL),
    "json of json": json.dumps(json.dumps({"password": PASSWORD})),
    "repr": repr(PASSWORD),
    "shell": shlex.quote(PASSWORD),
    "sql": "E'" + PASSWORD.replace("\\", "\\\\").replace("'", "''") + "'",
    "dollars": f"$${PASSWORD}$$",
    "html": html.escape(PASSWORD),
    "basic": "Basic " + base64.b64encode(f"owner:{PASSWORD}".encode()).decode(),
    "hex": PASSWORD.encode().hex(),
}
#: What no form leaves of the secret: its letters, or the letters of its base64 and hexadecimal.
TRACES = ("hunter", base64.b64encode(b"hunter").decode()[:6], base64.b64encode(b" hunter").decode()[3:9], b"hunter".hex())


def clean(text: str) -> bool:
    return not any(trace in text for trace in TRACES) and PLANTED["basic"][6:] not in text


@pytest.fixture(params=PLANTED)
def said(request: pytest.FixtureRequest) -> str:
    """What a program says."""
    words = f"error: cannot connect with {PLANTED[request.param]} to it"
    assert not clean(words) or request.param == "basic"
    return words


@pytest.fixture
def host(tmp_path: Path) -> slots.Host:
    layout = Layout("shop", tmp_path)
    more = {"secrets": SECRETS, "ping": ["p"], "ping_advises": {"a": 1}}
    service = slots.Service("api", "shop-api", {"blue": 1, "green": 2}, "PORT", "/health", **more)
    for slot in ("blue", "green"):
        layout.environment(slot, "api").parent.mkdir(parents=True)
        layout.environment(slot, "api").write_text(slots.environment_file(service, slot, "v1.0.2"), encoding="utf-8")
    return slots.Host(layout, [service], lambda _words: (0, "", ""), user="nobody")


def test_log_lines_of_a_service(host: slots.Host, said: str) -> None:
    host.run = lambda _words: (0, f"v1.0.2 starts\n{said}\n", "")
    shown = host._last_log_lines(host.services[0], "blue")
    assert clean(shown) and shown.startswith("v1.0.2 starts\nerror: cannot connect with") and shown.endswith(" to it")


@pytest.mark.parametrize("answer", [(1, "", "{said}"), (1, "{said}", ""), (0, '{{"a": {json}}}', "")])
def test_pings_of_a_service(host: slots.Host, said: str, answer: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = (part.format(said=said, json=json.dumps(said)) if isinstance(part, str) else part for part in answer)
    monkeypatch.setattr(slots.Host, "_run_as", lambda *_words: (code, out, err))
    shown = host._ping_complaint(host.services[0], "blue") or "; ".join(host.advice)
    assert clean(shown) and "cannot connect with" in shown


def test_commands_that_let_a_service_take_work(host: slots.Host, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots.Host, "_run_as", lambda *_words: (1, "", said))
    service = slots.Service("api", "shop-api", {"blue": 1}, "PORT", "/health", secrets=SECRETS, go_public=[["go"]])
    host.layout.private_environment("blue", "api").parent.mkdir(parents=True, exist_ok=True)
    host.layout.private_environment("blue", "api").touch()
    with pytest.raises(ParityError, match="did not begin to take work: go: error: cannot connect with") as error:
        host._go_public("blue", [service])
    assert clean(str(error.value))


def test_uv(host: slots.Host, said: str) -> None:
    with pytest.raises(ParityError, match="uv pip install failed: error") as error:
        Installer(host.layout, lambda _words: (1, "", said), python="python3", uv="uv", secrets=[SECRETS])._run_uv(["pip", "install"])
    assert clean(str(error.value))


def module_with(secrets: object) -> SimpleNamespace:
    """What Ansible's own class does: it knows the values as they were given, and replaces them in what is returned."""
    answer: dict = {}
    values = {URL, PASSWORD} if secrets else set()
    module = SimpleNamespace(no_log_values=values, answer=answer)
    module.fail_json = lambda **words: answer.update(remove_values(words, module.no_log_values))
    return module


def test_failures_of_modules(said: str) -> None:
    module = module_with(SECRETS)
    mask_module(module)
    fail_masked(module, said, server={"context": [said]})
    assert clean(json.dumps(module.answer, ensure_ascii=False)) and "cannot connect with" in module.answer["msg"]


def test_reasons_in_the_journal(host: slots.Host, said: str) -> None:
    run = Run(Planner(host, "r"))
    module = module_with(SECRETS)
    mask_module(module)
    module.check_mode, module.params = False, {"result": "failed", "reason": said}
    deployment_run.check(module, run)
    written = host.layout.journal.read_text(encoding="utf-8")
    assert clean(written) and "cannot connect with" in journal.read(host.layout.journal)[-1]["reason"]


def test_reports_and_their_files(tmp_path: Path, said: str) -> None:
    check = {"id": "a.b", "title": f"t {said}", "status": "failed", "seen": said, "evidence": said}
    built = outcome.build(head={"release": "v1", "by": said}, checks=[check], failures=[{"task": "t", "message": said}], notes=[said])
    masked = Mask(SECRETS).data(built)
    report_files.write(tmp_path, "r", masked, False)
    for path in tmp_path.iterdir():
        text = path.read_text(encoding="utf-8")
        assert clean(text) and "cannot connect with" in text, path.suffix
    assert clean(outcome.text(masked)) and clean(masked["headline"])


def test_messages_of_a_failed_deployment(said: str) -> None:
    host = {"inventory_hostname": "a", "ansible_failed_task": {"name": "t"}, "ansible_failed_result": {"msg": said}}
    assert clean(failed_tasks([host], secrets={"api": SECRETS})[0]["message"])
    known = {
        "release": "v2", "run": "r", "coordinator": "a", "hosts": ["a"], "rollbacks": {}, "begun": True, "finished": False, "broken": [],
        "failures": failed_tasks([host]), "stuck": failed_tasks([host]), "checked": False, "journal": [],
    }  # fmt: skip
    assert clean(failure_message(known, "a", secrets={"api": SECRETS}))


def test_leaks_are_found_in_every_form() -> None:
    needles = leaks.Needles(SECRETS)
    for name, form in PLANTED.items():
        assert needles.in_(f"before {form} after".encode()), name


class Specified(Exception):
    """Carries the specification with which a module would start."""


def specification(path: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """The options of a module, shared ones too; none where it runs on the control node alone."""
    module = importlib.import_module(f"ansible_collections.parity.stack.plugins.modules.{path.stem}")
    if not hasattr(module, "main"):
        return {}

    def start(argument_spec: dict, **_more: object) -> None:
        raise Specified(argument_spec)

    monkeypatch.setattr(module, "AnsibleModule", start)
    with pytest.raises(Specified) as started:
        module.main()
    return started.value.args[0]


def has_secrets(options: dict) -> bool:
    return any(option.get("no_log") is True or has_secrets(option.get("options") or {}) for option in options.values())


def test_every_module_with_a_secret_option_masks_its_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [path for path in (ROOT / "plugins/modules").glob("*.py") if path.stem != "__init__"]
    secret = [path for path in paths if has_secrets(specification(path, monkeypatch))]
    assert len(secret) > 20
    masking = ("    mask_module(module)\n", "    answer(module, ")
    assert [path.name for path in secret if not any(words in path.read_text(encoding="utf-8") for words in masking)] == []

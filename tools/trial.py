# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make try` answers of an inventory that init has written: hosts, addresses, certificate, secrets made for the trial.

trial.py suite INVENTORY                             the Debian whose Python suits the application
trial.py answer INVENTORY STATE CONTAINER PORT...    writes hosts, try.yml and the secrets (ports: gateway, monitoring)
trial.py questions INVENTORY                         what only a person can answer; exit code 3 where a deployment needs it first
trial.py release APPLICATION                         a name for what is in the application's directory now
trial.py not-checked LOG                             what a deployment did not check, from its log
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / ".cache/collections"))

from ansible_collections.parity.stack.plugins.module_utils.files import write_atomically  # noqa: E402 (only on the path since the line above)
from ansible_collections.parity.stack.plugins.plugin_utils.bundle import source_files  # noqa: E402
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.pythons import SUITES  # noqa: E402
from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: E402

HOST = "server"
MARK = f"# Written by make try: every part runs in the one container {HOST}.\n"
#: Questions that try.yml answers.
_ANSWERED = (
    "where do users find it",
    "which files on the control node are the certificate",
    "which private network",
    "where are objects kept",
)
#: Questions without whose answer a deployment is refused, or a process does not start.
_NEEDED = ("health: which path", "which application, as", "no process was recognised")
#: Secrets that only the application itself has to know, so any value will do; and those that another service gave out.
_OWN = re.compile(r"(?i)SECRET|PASSWORD|PASSWD|SALT|PEPPER|(JWT|SIGNING|ENCRYPTION|SESSION|COOKIE|FERNET|CSRF)\w*KEY|KEY_?BASE")
_FOREIGN = re.compile(
    r"(?i)API_?KEY|ACCESS_?KEY|CLIENT|WEBHOOK|OAUTH|SMTP|MAIL|AWS|S3_|AZURE|GOOGLE|GITHUB|STRIPE|SENTRY|SLACK|OPENAI|DSN|URL"
)


@dataclass(frozen=True)
class Question:
    """What a person has to answer, and where. `needed`: a deployment cannot do without."""

    file: Path
    line: int
    text: str
    needed: bool


def suite(inventory: Path) -> str:
    """The first Debian whose Python the application accepts; the first of all where it says nothing, or nothing suits."""
    said = re.search(r"^# The application needs Python (.+) \(", _text(inventory / "group_vars/all/stack.yml"), re.MULTILINE)
    try:
        wanted = SpecifierSet(said[1] if said else "")
    except InvalidSpecifier:
        return next(iter(SUITES))
    return next((name for name, python in SUITES.items() if wanted.contains(python)), next(iter(SUITES)))


def answer(inventory: Path, state: Path, container: str, port: int, monitoring: int) -> None:
    _refuse_other_hosts(inventory / "hosts")
    groups = re.findall(r"^\[(\w+)\]", _text(inventory / "hosts"), re.MULTILINE)
    write_atomically(inventory / "hosts", MARK + "".join(f"\n[{group}]\n{HOST}\n" for group in groups))
    name = str(_stack(inventory)["stack_name"])
    _certificate(state)
    given = _settings(state, container, port, monitoring, name)
    given |= {"stack_storage_path": f"/srv/objects/{name}"} if "storage" in groups else {}
    given |= _lock(inventory, state)
    text = f"---\n{MARK}# It is stronger than stack.yml, and is written again at each run.\n{yaml.safe_dump(given, sort_keys=False)}"
    write_atomically(inventory / "group_vars/all/try.yml", text)
    _write_secrets(inventory, name)


def _refuse_other_hosts(hosts: Path) -> None:
    """A trial never deploys to hosts that somebody has named."""
    lines = [line.strip() for line in _text(hosts).splitlines()]
    others = [line for line in lines if line and not line.startswith(("#", "[")) and line != HOST]
    if others:
        sys.exit(
            f"error: {hosts} names hosts of its own ({', '.join(others[:3])}), and a trial has one container. Name another INVENTORY=."
        )


def _settings(state: Path, container: str, port: int, monitoring: int, name: str) -> dict:
    return {
        "ansible_connection": "community.docker.docker",
        "ansible_host": container,
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_become": True,
        "stack_address": "127.0.0.1",
        "stack_private_networks": [],
        "stack_public_url": f"https://127.0.0.1:{port}",
        "stack_gateway_certificate": str(state / "gateway.pem"),
        "stack_gateway_certificate_key": str(state / "gateway.key"),
        "stack_certificate_authority": str(state / "gateway.pem"),
        # What is published on the loopback address of this machine comes in at the container's own address.
        "monitoring_listen_address": "0.0.0.0",  # noqa: S104
        "monitoring_port": monitoring,
        "stack_reports": str(state / "reports"),
        "validation_report_directory": str(state / "reports"),
    }


def _certificate(state: Path) -> None:
    if (state / "gateway.pem").exists():
        return
    state.mkdir(parents=True, exist_ok=True)
    words = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "365",
        "-keyout", str(state / "gateway.key"), "-out", str(state / "gateway.pem"), "-subj", "/CN=localhost",
        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
    ]  # fmt: skip
    subprocess.run(words, capture_output=True, check=True)


def _lock(inventory: Path, state: Path) -> dict:
    """A lock file made for the trial, where the application has none with hashes."""
    source, lock = lock_source(inventory), state / "requirements.lock"
    if source is None:
        return {}
    words = ["uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--python-version", SUITES[suite(inventory)]]
    done = subprocess.run([*words, str(source), "-o", str(lock)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"no lock file could be made of {source}: {done.stderr.strip()[-600:]}", file=sys.stderr)
        return {}
    return {"stack_application_lock": str(lock)}


def lock_source(inventory: Path) -> Path | None:
    """The file that init says a lock file can be made of; None where there is a lock file, or nothing to make one of."""
    stack, text = _stack(inventory), _text(inventory / "group_vars/all/stack.yml").replace("\n#   ", " ")
    found = re.search(r"--generate-hashes (\S+) -o", text)
    if "stack_application_lock" in stack or not found:
        return None
    folder = Path(str(stack["stack_application"]).replace("{{ inventory_dir }}", str(inventory.resolve())))
    return folder / Path(found[1]).name


def _write_secrets(inventory: Path, name: str) -> None:
    """Make what only this stack has to know. What is in the file already stays, and so does an empty line for a person to fill."""
    example = next(iter(inventory.glob(".env.*.example")), None)
    if not example:
        return
    path = example.with_suffix("")
    lines = _text(path).splitlines() or [f"# Secrets of a trial. {example.name} says what they are."]
    present = {line.partition("=")[0] for line in lines if line.partition("=")[2]}
    empty = {line[:-1]: number for number, line in enumerate(lines) if re.fullmatch(r"\w+=", line)}
    for shape, key in re.findall(r"^# (.*)\n(\w+)=$", _text(example), re.MULTILINE):
        line = f"{key}={_made(key, shape, name, inventory)}"
        if key in empty:
            lines[empty[key]] = line
        elif key not in present:
            lines.append(line)
    write_atomically(path, "\n".join(lines) + "\n", mode=0o600)


def _made(key: str, shape: str, name: str, inventory: Path) -> str:
    """A value made for the trial; empty where somebody else gave it out."""
    role, password = name.replace("-", "_"), secrets.token_hex(16)
    if key == "DATABASE_URL":
        scheme = re.search(r"(\S+)://", shape)
        return f"{scheme[1] if scheme else 'postgresql'}://{role}_app:{password}@127.0.0.1:5432/{role}"
    if key == "DATABASE_OWNER_URL":
        return f"postgresql://{role}_owner:{password}@127.0.0.1:5432/{role}"
    if key == "BROKER_URL":
        redis = f"redis://:{password}@127.0.0.1:6379/0"
        return redis if _is_redis(shape, inventory) else f"amqp://{role}:{password}@127.0.0.1:5672/{role}"
    # As many bytes as a Fernet key has, in its form: every other use takes such a text, too.
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode() if _OWN.search(key) and not _FOREIGN.search(key) else ""


def _is_redis(shape: str, inventory: Path) -> bool:
    """What init found. Where it could not tell: Redis if its client is in the lock file, as Celery always brings the other's."""
    if " or " not in shape:
        return "redis" in shape
    lock = str(_stack(inventory).get("stack_application_lock", "")).replace("{{ inventory_dir }}", str(inventory.resolve()))
    return bool(re.search(r'(?m)^(redis==|name = "redis"$)', _text(Path(lock)))) if lock else True


def questions(inventory: Path) -> list[Question]:
    files = [inventory / "group_vars/all" / name for name in ("stack.yml", "application.yml", "secrets.yml")]
    found = [question for file in files for question in _questions_in(file)]
    for file in (path for path in inventory.glob(".env.*") if path.suffix != ".example"):
        lines = enumerate(_text(file).splitlines(), 1)
        empty = [(number, line[:-1]) for number, line in lines if re.fullmatch(r"\w+=", line)]
        found += [Question(file, number, f"{name}: which value? Another service gave it out", True) for number, name in empty]
    lock = "stack_application_lock" in {**_stack(inventory), **_load(inventory / "group_vars/all/try.yml")}
    return [one for one in found if not (lock and "a release needs one" in one.text)]


def _questions_in(file: Path) -> Iterator[Question]:
    lines = _text(file).splitlines()
    for number, line in enumerate(lines):
        start = re.match(r"\s*# (?:Question: |Question of (?=\w))(.*)", line)
        if not start:
            continue
        more = []
        while number + 1 + len(more) < len(lines) and (next_line := re.match(r"\s*#   (\S.*)", lines[number + 1 + len(more)])):
            more.append(next_line[1])
        text = " ".join([start[1], *more])
        if not text.startswith(_ANSWERED):
            yield Question(file, number + 1, text, _is_needed(text))


def _is_needed(text: str) -> bool:
    required = bool(re.match(r"\w+: which value\?", text)) and "the sources have a default" not in text
    return required or any(words in text for words in _NEEDED) or "a release needs one" in text


def release(application: Path) -> str:
    """A name that changes with the application's files."""
    digest = hashlib.sha256()
    for name, path in sorted(source_files.below(application).items()):
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return f"try-{digest.hexdigest()[:12]}"


def not_checked(log: Path) -> list[str]:
    """What preflight says at the beginning of a deployment, as lists of YAML."""
    block = re.search(
        r"^TASK \[[^]]*Show what the application offers\].*?\n(.*?)(?=^(?:TASK|PLAY)\b)", _text(log), re.MULTILINE | re.DOTALL
    )
    body = re.search(r"^ +msg:\n.*", block[1] if block else "", re.MULTILINE | re.DOTALL)
    lines = yaml.safe_load(textwrap.dedent(body[0]))["msg"] if body else []
    return [line.partition("not checked: ")[2] for line in lines if "not checked: " in line]


def _stack(inventory: Path) -> dict:
    return _load(inventory / "group_vars/all/stack.yml")


def _load(path: Path) -> dict:
    class Loader(yaml.SafeLoader):
        """With the tag that Ansible has for texts that are no templates."""

    Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))
    return yaml.load(_text(path), Loader) or {}  # noqa: S506 (a safe loader with one more tag)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _show(open_questions: list[Question]) -> int:
    needed = [one for one in open_questions if one.needed]
    others = [one for one in open_questions if not one.needed]
    for title, some in (("Open, and not needed to begin with:", others), ("Needed before it can be deployed:", needed)):
        if some:
            print(title)
        for one in some:
            print(textwrap.fill(one.text, 100, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False))
            print(f"    {one.file}:{one.line}")
    return 3 if needed else 0


def main(verb: str, *words: str) -> int:
    paths = [Path(word) for word in words[:2]]
    if verb == "suite":
        print(suite(paths[0]))
    elif verb == "answer":
        answer(paths[0], paths[1].resolve(), words[2], int(words[3]), int(words[4]))
    elif verb == "questions":
        return _show(questions(paths[0]))
    elif verb == "release":
        print(release(paths[0]))
    elif verb == "not-checked":
        for line in not_checked(paths[0]):
            print(textwrap.fill(line, 100, initial_indent="    - ", subsequent_indent="      ", break_on_hyphens=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

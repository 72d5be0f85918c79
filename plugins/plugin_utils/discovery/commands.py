# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command line runs: the words of a Procfile, a compose file or a Dockerfile as an entry of stack_processes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field

from ansible_collections.parity.stack.plugins.plugin_utils.discovery.model import PREPARES, Process

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
_DEFAULT = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*:?-([^${}]*)\}")
_SHELLS = ("sh", "bash", "dash", "ash")
#: Programs that run the words after them, with the number of words that belong to themselves.
_WRAPPERS = {
    "exec": 0, "dumb-init": 0, "tini": 0, "opentelemetry-instrument": 0, "ddtrace-run": 0, "nohup": 0, "time": 0,
    "newrelic-admin": 1, "uv": 1, "poetry": 1, "pipenv": 1, "pdm": 1, "hatch": 1, "rye": 1, "honcho": 1,
}  # fmt: skip
#: Programs that no Python package brings.
_FOREIGN = (
    "apache2", "apachectl", "bun", "caddy", "deno", "httpd", "java", "next", "nginx", "node", "npm", "npx", "php", "pnpm", "ruby", "serve",
    "supervisord", "vite", "yarn",
)  # fmt: skip
_SCRIPT = re.compile(r"(?:.*/)?[\w.-]+\.(?:sh|bash)$")
#: Preparation before the process: migrations and the like, which a deployment runs in its own place.
_PREPARATIONS = ("alembic", "migrate", "collectstatic", "sleep", "mkdir", "cd", "export", "set", "echo", "true", "source", ".")


@dataclass
class Line:
    """A program and its options as a line gives them: `options` with their values, `words` that are no option."""

    program: str
    words: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)

    def option(self, *names: str) -> str:
        return next((self.options[name] for name in names if name in self.options), "")


@dataclass(frozen=True)
class Options:
    """Options of a program: `valued` have a value, `kept` go into `arguments`, `ours` are set by Parity."""

    kept: frozenset[str]
    ours: frozenset[str]
    flags: frozenset[str]


def _options(kept: str, ours: str, flags: str) -> Options:
    return Options(frozenset(kept.split()), frozenset(ours.split()), frozenset(flags.split()))


_UVICORN = _options(
    "--factory --root-path --loop --http --ws --lifespan --app-dir --interface",
    "--host --port --workers --reload --uds --fd --log-level --access-log --no-access-log --proxy-headers --no-proxy-headers "
    "--forwarded-allow-ips --reload-dir --log-config --env-file --use-colors --no-use-colors",
    "--factory --reload --proxy-headers --no-proxy-headers --access-log --no-access-log --no-server-header --no-date-header --use-colors "
    "--no-use-colors",
)
_FASTAPI = _options("--root-path", "--host --port --workers --app --proxy-headers --reload", "--reload --no-reload --proxy-headers")
_LITESTAR = _options(
    "--app-dir",
    "--app --host -H --port -p --web-concurrency -W --wc --reload -r --reload-dir -R --debug -d --pdb -P --uds -U --fd -F --quiet-console",
    "--reload -r --debug -d --pdb -P --quiet-console",
)
_GUNICORN = _options(
    "--timeout -t --threads --worker-class -k --max-requests --max-requests-jitter --preload --keep-alive --graceful-timeout",
    "--bind -b --workers -w --reload --access-logfile --error-logfile --log-file --log-level --pid --daemon -D --name -n --user --group "
    "--capture-output --forwarded-allow-ips --worker-tmp-dir --chdir",
    "--preload --reload --daemon -D --capture-output",
)
_CELERY = _options(
    "--pool -P --max-tasks-per-child --max-memory-per-child --prefetch-multiplier -O --without-gossip --without-mingle --without-heartbeat "
    "--scheduler -S --max-interval -E --task-events --events --autoscale",
    "-A --app -Q --queues -c --concurrency -l --loglevel --hostname -n -B --beat -f --logfile --pidfile -s --schedule -b --broker",
    "--without-gossip --without-mingle --without-heartbeat -E --task-events --events -B --beat",
)


def process_of(command: object, name: str, where: str) -> tuple[Process | None, str]:
    """The process a command runs, or None and why it is not one of stack_processes. A command is a text or a list of words."""
    segments = _segments(command)
    if segments is None:
        return None, "its command cannot be read as words"
    rest = [words for words in segments if words and not _is_preparation(words)]
    if not rest:
        return None, PREPARES
    return _recognise(rest[-1], name, where)


def _segments(command: object) -> list[list[str]] | None:
    """The commands of a line, without shells and wrappers around them."""
    if isinstance(command, (list, tuple)):
        words = [_expanded(str(word)) for word in command]
        inner = _shell_text(words)
        return [_unwrapped(words)] if inner is None else _segments(inner)
    text = _expanded(str(command)).replace("\\\n", " ")
    try:
        lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|\n")
        lexer.whitespace, lexer.commenters = " \t\r", "#"
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:
        return None
    found: list[list[str]] = [[]]
    for word in words:
        if word and not set(word) - set(";&|\n"):
            found.append([])
        else:
            found[-1].append(word)
    inner = [_shell_text(words) for words in found]
    return [part for words, text in zip(found, inner) for part in ([_unwrapped(words)] if text is None else _segments(text) or [])]


def _expanded(text: str) -> str:
    return _DEFAULT.sub(r"\1", text.replace("$$", "$"))


def _shell_text(words: list[str]) -> str | None:
    """What a shell runs by its option -c."""
    words = _without_assignments(words)
    if len(words) >= 3 and _base(words[0]) in _SHELLS:
        at = next((at for at, word in enumerate(words[1:], 1) if re.fullmatch(r"-[a-z]*c", word)), 0)
        return words[at + 1] if at and at + 1 < len(words) else None
    return None


def _without_assignments(words: list[str]) -> list[str]:
    while words and (_ASSIGNMENT.fullmatch(words[0]) or _base(words[0]) == "env"):
        words = words[1:]
    return words


def _unwrapped(words: list[str]) -> list[str]:
    """Without assignments, `exec`, `uv run` and the like."""
    words = _without_assignments(words)
    while words and _base(words[0]) in _WRAPPERS:
        words = words[1 + _WRAPPERS[_base(words[0])] :]
        while words and words[0].startswith("-"):
            words = words[1:]
        words = _without_assignments(words)
    return words


def _base(word: str) -> str:
    return word.rpartition("/")[2]


def _is_preparation(words: list[str]) -> bool:
    return _base(words[0]) in _PREPARATIONS or any(word in ("migrate", "collectstatic", "alembic") for word in words[:4])


def _recognise(words: list[str], name: str, where: str) -> tuple[Process | None, str]:
    program, rest = _base(words[0]), words[1:]
    if re.fullmatch(r"python[0-9.]*", program):
        return _python(words, name, where)
    if program in _READERS:
        return _READERS[program](rest, name, where)
    if _SCRIPT.match(words[0]) or (program in _SHELLS and rest):
        return None, f"it runs the script {words[0] if _SCRIPT.match(words[0]) else rest[0]}, which is not read"
    if any("$" in word for word in words):
        return None, "its command has variables that only a shell expands"
    if program in _FOREIGN:
        return None, f"it runs {program}, which is no program of a Python release"
    return Process(name, "command", where, command=[program, *rest]), ""


def _python(words: list[str], name: str, where: str) -> tuple[Process | None, str]:
    rest = words[1:]
    while rest and rest[0].startswith("-") and rest[0] != "-m" and rest[0] != "-c":
        rest = rest[1:]
    if rest[:1] == ["-m"] and len(rest) > 1 and rest[1] in _READERS:
        return _READERS[rest[1]](rest[2:], name, where)
    if rest and _base(rest[0]) == "manage.py":
        return _manage(rest[1:], name, where)
    if any("$" in word for word in rest):
        return None, "its command has variables that only a shell expands"
    return (Process(name, "command", where, command=["python", *rest]), "") if rest else (None, "it runs Python without a program")


def _manage(rest: list[str], name: str, where: str) -> tuple[Process | None, str]:
    if rest[:1] == ["runserver"]:
        return Process(name, "gunicorn", where, notes=["runserver is a server for development; gunicorn runs the application instead"]), ""
    if rest and not rest[0].startswith("-"):
        return Process(name, "command", where, command=["python", "manage.py", *rest]), ""
    return None, "it runs manage.py without a command"


def _parse(program: str, words: list[str], options: Options) -> Line:
    line = Line(program)
    at = 0
    while at < len(words):
        word = words[at]
        key, equals, value = word.partition("=")
        if not word.startswith("-"):
            line.words.append(word)
        elif equals:
            line.options[key] = value
        elif re.fullmatch(r"-[A-Za-z]\S+", key) and key not in options.kept | options.ours:
            line.options[key[:2]] = key[2:]
        elif key in options.flags or key.startswith("--no-") or at + 1 == len(words) or words[at + 1].startswith("-"):
            line.options[key] = ""
        else:
            line.options[key] = words[at + 1]
            at += 1
        at += 1
    return line


def _arguments(line: Line, options: Options) -> tuple[list[str], list[str]]:
    """Options that stay, as words, and a note on those that do not and that Parity does not set."""
    kept = [word for key, value in line.options.items() if key in options.kept for word in ([key, value] if value else [key])]
    lost = [key for key in line.options if key not in options.kept | options.ours]
    return kept, [f"left out: {' '.join(lost)}"] if lost else []


def _asgi(program: str) -> Callable[[list[str], str, str], tuple[Process | None, str]]:
    def read(rest: list[str], name: str, where: str) -> tuple[Process | None, str]:
        line = _parse(program, rest, _UVICORN)
        target = next((word for word in line.words if ":" in word and "/" not in word), "")
        kept, notes = _arguments(line, _UVICORN) if program == "uvicorn" else ([], [f"{program} runs it there; uvicorn runs it instead"])
        if not target:
            return None, f"{program} names no module:object"
        return Process(name, "uvicorn", where, application=target, arguments=kept, notes=notes), ""

    return read


def _gunicorn(rest: list[str], name: str, where: str) -> tuple[Process | None, str]:
    line = _parse("gunicorn", rest, _GUNICORN)
    worker = line.option("-k", "--worker-class")
    if not line.words:
        return None, "gunicorn names no application (perhaps its configuration file does)"
    kept, notes = _arguments(line, _GUNICORN)
    if "uvicorn" in worker.lower():
        note = "gunicorn runs it there with workers of uvicorn; uvicorn runs it instead"
        return Process(name, "uvicorn", where, application=line.words[0], notes=[note, *notes]), ""
    return Process(name, "gunicorn", where, application=line.words[0], arguments=kept, notes=notes), ""


def _fastapi(rest: list[str], name: str, where: str) -> tuple[Process | None, str]:
    line = _parse("fastapi", rest, _FASTAPI)
    if line.words[:1] not in (["run"], ["dev"]):
        return None, "fastapi has neither the word run nor dev"
    path = line.words[1] if len(line.words) > 1 else ""
    module = path.removeprefix("./").removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    target = f"{module}:{line.option('--app') or 'app'}" if module else ""
    return Process(name, "uvicorn", where, application=target, arguments=_arguments(line, _FASTAPI)[0]), ""


def _litestar(rest: list[str], name: str, where: str) -> tuple[Process | None, str]:
    line = _parse("litestar", rest, _LITESTAR)
    if "run" not in line.words:
        return Process(name, "command", where, command=["litestar", *rest]), ""
    kept, notes = _arguments(line, _LITESTAR)
    return Process(name, "uvicorn", where, application=line.option("--app"), arguments=kept, notes=notes), ""


def _flask(rest: list[str], name: str, where: str) -> tuple[Process | None, str]:
    line = _parse("flask", rest, _options("", "--app -A --host -h --port -p", "--debug --reload --no-reload"))
    if "run" not in line.words:
        return Process(name, "command", where, command=["flask", *rest]), ""
    target = line.option("--app", "-A").removesuffix(".py").replace("/", ".")
    note = "flask run is a server for development; gunicorn runs the application instead"
    return Process(name, "gunicorn", where, application=target, notes=[note]), ""


def _celery(rest: list[str], name: str, where: str) -> tuple[Process | None, str]:
    line = _parse("celery", rest, _CELERY)
    verb = next((word for word in line.words if word in ("worker", "beat", "flower", "multi", "events", "inspect", "control")), "")
    target = line.option("-A", "--app")
    kept, notes = _arguments(line, _CELERY)
    if verb == "beat":
        return Process(name, "celery-beat", where, application=target, arguments=kept, notes=notes), ""
    if verb != "worker":
        return None, f"celery {verb or '(without a command)'} is no process of a release"
    queues = [queue for queue in line.option("-Q", "--queues").split(",") if queue]
    count = line.option("-c", "--concurrency")
    process = Process(name, "celery", where, application=target, arguments=kept, queues=queues, notes=notes)
    process.concurrency = int(count) if count.isdecimal() else 0
    process.with_beat = "-B" in line.options or "--beat" in line.options
    if any("$" in queue for queue in queues):
        process.questions.append(f"which queues? {','.join(queues)} is set by variables there")
        process.queues = []
    return process, ""


_READERS: dict[str, Callable[[list[str], str, str], tuple[Process | None, str]]] = {
    "uvicorn": _asgi("uvicorn"),
    "hypercorn": _asgi("hypercorn"),
    "daphne": _asgi("daphne"),
    "granian": _asgi("granian"),
    "gunicorn": _gunicorn,
    "fastapi": _fastapi,
    "litestar": _litestar,
    "flask": _flask,
    "celery": _celery,
}

# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one line of a failure that tells its reason, from messages of Ansible, Python, systemd, PostgreSQL, pip and uv."""

from __future__ import annotations

import re
from collections.abc import Iterator

_MOST = 300
#: What only says that something failed. The reason stands elsewhere in the result.
_VAGUE = re.compile(
    r"(One or more items failed|non-zero return code|Assertion failed|All items completed|MODULE FAILURE\b.*|"
    r"(The )?(module|action|task) failed|Unknown error.*|These hosts have failed or cannot be reached any more:.*|Another host failed\.?)"
    r"\.?",
    re.IGNORECASE,
)
_ANSIBLE = re.compile(r"^(?:(?:Task|Action|Module) failed: )+")
_TRACEBACK = "Traceback (most recent call last):"
_FRAME = re.compile(r'^\s+File ".*", line \d+')
_CHAINED = ("During handling of the above exception", "The above exception was the direct cause")
_EXCEPTION = re.compile(r"^(?:[A-Za-z_][\w.]*)(?::(?: .*)?)?$")
#: An exception without its traceback, as the end of a log may have it.
_ERROR = re.compile(r"^(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception|Interrupt|NotFound|Misconfigured|ImproperlyConfigured): \S")
_CONNECTION_NOISE = re.compile(r"Warning: Permanently added [^\r\n]*\r?\n?")
#: Lines in which a program says why it ends, the surest first.
_PROGRAMS = (
    re.compile(r"\b(?:ERROR|FATAL|PANIC):  \S.*"),  # PostgreSQL: two spaces
    re.compile(r"^(?:ERROR|FATAL|CRITICAL|error|fatal)[:\]] *\S.*"),  # pip, uv, uvicorn, git
    re.compile(r"^\S+: (?:error|fatal): \S.*"),  # argparse and many others
    re.compile(r"^Error: \S.*"),  # click, and so celery
    re.compile(r"^\s*\u00d7 \S.*"),  # uv, with a multiplication sign
)
_CROSS = "\N{MULTIPLICATION SIGN}"
_NO_REASON = ("subprocess-exited-with-error", "metadata-generation-failed")
_ENDS = re.compile(r"its process ends \(exit status [^)]*\)")
_LOG = re.compile(r"last log lines:\s*$", re.IGNORECASE)


def vague(message: str) -> bool:
    """Whether a message says no more than that something failed."""
    return not message.strip() or bool(_VAGUE.fullmatch(_ANSIBLE.sub("", message.strip())))


def headline_of(message: str) -> str:
    """The telling line of a message: a traceback's last line, what a program gives as its reason, or the first sentence.

    Of exceptions that follow from one another it is the last one, which says what the program makes of it; of several tracebacks
    the first one. Without any of these, the first line is the headline, as its author meant it.
    """
    lines = [line.rstrip("\r") for line in _CONNECTION_NOISE.sub("", message).strip().splitlines()]
    if not lines:
        return ""
    found = _of_traceback(lines) or _of_program(lines) or _of_log(lines) or first_sentences("\n".join(lines))
    return _ANSIBLE.sub("", re.sub(r"\s+", " ", found).strip())[:_MOST]


def telling_first(message: str) -> str:
    """A message with its headline as the first line, where that stands further down."""
    text, head = message.strip(), headline_of(message)
    known = re.sub(r"\s+", " ", _ANSIBLE.sub("", text.splitlines()[0] if text else ""))
    return text if not head or known.startswith(head) or head.startswith(known.rstrip(":")) else f"{head}\n{text}"


def message_of(result: dict) -> str:
    """The message of a task's result: of a loop that of the first item that failed, and the reason where `msg` has none."""
    for item in result.get("results") or ():
        if isinstance(item, dict) and (item.get("failed") or item.get("unreachable")):
            return message_of(item)
    message = _text(result.get("msg"))
    if not vague(message):
        return telling_first(message)
    if result.get("assertion"):
        return f"{message.strip() or 'Assertion failed'}: {_text(result['assertion'])}"
    for key in ("stderr", "module_stderr", "exception", "stdout", "module_stdout", "censored"):
        if _text(result.get(key)).strip():
            return telling_first(_text(result[key]))
    return message.strip()


def first_sentences(words: str) -> str:
    """The first line, without its last sentence where that only announces the next line; the next line too, where it is all."""
    lines = words.strip().split("\n")
    if len(lines) > 1 and lines[0].endswith(":"):
        head, dot, _announcement = lines[0].rpartition(". ")
        return (head if dot else f"{lines[0]} {lines[1].strip()}")[:_MOST]
    return lines[0][:_MOST]


def _text(value: object) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value or "")


# --- Python -----------------------------------------------------------------------------------------------------------


def _of_traceback(lines: list[str]) -> str:
    """The last line of the first traceback, or of the last of those that follow from it."""
    found = ""
    for start, prefix in _tracebacks(lines):
        place, words = _exception(lines, start, prefix)
        if not words:
            continue
        if found and not _follows(lines, start, prefix):
            break
        found = _with_fields(lines, place, words)
    return found or next((line.strip() for line in lines if _ERROR.match(line.strip())), "")


def _tracebacks(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Where tracebacks begin, each with what stands before it in the line. A log may begin in the middle of one."""
    inside = False
    for number, line in enumerate(lines):
        head, mark, _rest = line.partition(_TRACEBACK)
        if mark:
            inside = True
            yield number, head
        elif _FRAME.match(line) and not inside:
            inside = True
            yield number, ""
        elif line[:1].strip():
            inside = inside and bool(_TRACEBACK in line)


def _exception(lines: list[str], start: int, prefix: str) -> tuple[int, str]:
    """The first line after a traceback's frames that is not indented: where it stands, and the exception it names."""
    for number in range(start + 1, len(lines)):
        line = lines[number].removeprefix(prefix)
        if line[:1].strip():
            return (number, line.strip()) if _EXCEPTION.match(line.strip()) else (number, "")
    return len(lines), ""


def _follows(lines: list[str], start: int, prefix: str) -> bool:
    before = [line.removeprefix(prefix).strip() for line in lines[max(0, start - 3) : start]]
    return any(line.startswith(_CHAINED) for line in before)


def _with_fields(lines: list[str], place: int, words: str) -> str:
    """An exception about settings with the first of them. Its value, which may be a secret, stays out."""
    if not re.search(r"\d+ validation errors? for ", words) or place + 2 >= len(lines):
        return words
    field, reason = lines[place + 1].strip(), lines[place + 2].strip().partition(" [type=")[0]
    return f"{words}: {field}: {reason}"


# --- Other programs ---------------------------------------------------------------------------------------------------


def _of_program(lines: list[str]) -> str:
    for pattern in _PROGRAMS:
        for number, line in enumerate(lines):
            match = pattern.search(line)
            if match and not any(words in line for words in _NO_REASON):
                return _continued(lines, number, match[0])
    return ""


def _continued(lines: list[str], number: int, words: str) -> str:
    """A line that only announces its reason, with what follows it."""
    more = [line.strip(" ╰─▶│") for line in lines[number + 1 : number + 3] if line.strip()]
    announces = words.rstrip().endswith(":") or words.lstrip().startswith(_CROSS)
    return " ".join([words.strip().removeprefix(f"{_CROSS} "), *more]) if announces else words


def _of_log(lines: list[str]) -> str:
    """Of a process that ends without giving a known reason, its last log line beside its exit status."""
    if not _ENDS.search(lines[0]) or not _LOG.search(lines[0]) or len(lines) < 2:
        return ""
    last = next(line.strip() for line in reversed(lines) if line.strip())
    return f"{first_sentences(chr(10).join(lines)).rstrip('.')}: {last}"

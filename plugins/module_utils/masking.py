# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep secrets out of texts: one mask for every message, log excerpt and report, and one list of the forms of a secret.

A program rarely shows a password as it was given. It shows it percent-encoded in a URL, escaped in JSON, quoted for a shell or
for SQL, or in base64. `Mask` reads a text through these encodings, mixed and nested up to four deep, and masks what they hide.
`forms` lists the usual encodings as plain strings, for code that can only compare strings (a search through a large log, the
`no_log_values` of a module).

How short a value may be:
- From 6 characters it is masked wherever it stands.
- With 4 or 5 characters it is masked where no letter or digit touches it.
- Shorter ones, and words such as `true`, stand in every text by chance. They are masked as the password of a URL only.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import urllib.parse
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

MASK = "********"
#: From how many characters a value is masked wherever it stands, and where no letter or digit touches it.
ANYWHERE, AS_A_WORD = 6, 4
_LINE, _ANCHOR = 16, 4
_DEPTH = 4
#: Where a module keeps its secrets as they were given.
_KNOWN = "parity_secrets"
_NO_SECRETS = frozenset({"true", "false", "none", "null", "info", "debug", "warning", "error"})
_SECRET_PARAMETER = re.compile(r"passw|secret|token|credential|key$|^pwd$", re.IGNORECASE)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_RUN = re.compile(r"[A-Za-z0-9]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/_=-]")


class Mask:
    """Hides secrets in a text. `secrets` may be nested: the strings and numbers of dictionaries and lists are taken."""

    def __init__(self, secrets: Iterable[str] | Mapping[str, object]) -> None:
        words = {word for value in values_of(secrets) for part in [*parts(value), value] for word in _readings(part)}
        self._words = {word for word in words if _long_enough(word)}
        self._opaque = {form for word in self._words if len(word) >= ANYWHERE for form in _base64(word)}
        self._literal = {form for word in self._words if len(word) >= ANYWHERE for form in [*_hex(word), *_escaped_whole(word)]}
        passwords = (password for value in values_of(secrets) for password in _passwords(value) if not _long_enough(password))
        self._in_urls = [re.compile(rf"(?<=:){re.escape(short)}(?=@)") for short in dict.fromkeys(passwords) if short]
        self._anchors: dict[str, int] = {}
        self._skeletons: dict[re.Pattern | None, int] = {}
        for word in self._words | self._opaque | self._literal:
            self._look_for(word, _longest_encoding(word) if word in self._words else 4 * len(word) + 64)

    def _look_for(self, word: str, around: int) -> None:
        """Remember the letters that mark a possible place of the word, and how much around that place to decode."""
        run = anchor(word)
        known, key = (self._anchors, run) if len(run) >= _ANCHOR else (self._skeletons, _skeleton(word))
        known[key] = max(around, known.get(key, 0))

    def text(self, words: str) -> str:
        """`words` with every secret replaced by `********`."""
        masked, at = [], 0
        for start, end in _merged(self._spans(str(words))):
            masked += [words[at:start], MASK]
            at = end
        result = "".join([*masked, str(words)[at:]])
        for pattern in self._in_urls:
            result = pattern.sub(MASK, result)
        return result

    def data(self, content: object) -> object:
        """Strings of nested dictionaries and lists masked, keys too; everything else as it is."""
        if isinstance(content, str):
            return self.text(content)
        if isinstance(content, Mapping):
            return {self.data(key): self.data(value) for key, value in content.items()}
        if isinstance(content, (list, tuple)):
            return [self.data(value) for value in content]
        return content

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where secrets stand, in any encoding. An encoding leaves letters and digits alone, so only their surroundings are decoded."""
        whole = _View(text)
        for view in (whole, whole.decoded(*_UNWRAPPED)):
            for start, end in _merged(self._places(view.text)) if view else ():
                for reading in _views(_View(view.text[start:end])):
                    for first, last in self._in(reading.text):
                        first, last = reading.origin(first, last)
                        yield view.origin(first + start, last + start)

    def _places(self, text: str) -> Iterator[tuple[int, int]]:
        """The parts of the text that may hold a secret."""
        for run, around in self._anchors.items():
            yield from ((max(0, at - around), min(len(text), at + around)) for at in _all(run, text))
        for skeleton, around in self._skeletons.items():
            places = (found.start() for found in skeleton.finditer(text)) if skeleton else ()
            yield from ((max(0, at - around), min(len(text), at + around)) for at in places)
            if skeleton is None:
                yield 0, len(text)

    def _in(self, text: str) -> Iterator[tuple[int, int]]:
        for word in self._words:
            for at in _all(word, text):
                if len(word) >= ANYWHERE or not _touched(text, at, at + len(word)):
                    yield at, at + len(word)
        for form in self._literal:
            yield from ((at, at + len(form)) for at in _all(form, text))
        for form in self._opaque:  # the first and last digit belong to their neighbours too
            for at in _all(form, text):
                yield _extended(text, at, at + len(form))


def forms(value: str) -> set[str]:
    """The usual forms of a secret, and of the password where it is a URL, as plain strings. Short ones are left out."""
    found: set[str] = set()
    for part in parts(value):
        for word in sorted({part, urllib.parse.unquote(part)}):
            first = {word, *_encoded(word)}
            found |= first | {again for form in first for again in (*_percent(form), *_json(form))}
            found |= _base64(word) | _hex(word) if len(word) >= ANYWHERE else set()
    return {form for form in found if len(form) >= ANYWHERE}


def parts(value: str) -> set[str]:
    """The secret parts of a value: the whole value, and each long line where it has several. Of a URL, the password.

    Of a web address without a password, the key before the host, or the whole address where it has a path. A URL with only a server
    and a user is no secret.
    """
    if not _URL.match(value):
        return {value, *_lines(value)} - {""}
    try:
        url = urllib.parse.urlsplit(value)
    except ValueError:
        return (_passwords(value) or {value}) - {""}
    found = _passwords(value)
    if not found and url.scheme in ("http", "https"):
        found = {url.username or "", value if url.path.strip("/") or url.query else ""}
    return {form for secret in found for form in (secret, urllib.parse.unquote(secret))} - {""}


def mask_module(module, *secrets: object) -> None:
    """Let Ansible mask the usual forms of these secrets, and of what the module's `no_log` options hold, in all that it returns.

    Ansible itself knows a secret only as it was given.
    """
    known = vars(module).setdefault(_KNOWN, values_of(sorted(map(str, module.no_log_values))))
    known += values_of(secrets)
    for value in known:
        module.no_log_values.update(form for form in {*forms(value), value} if len(form) >= ANYWHERE)


def mask_of_module(module) -> Mask:
    """The mask of all secrets that `mask_module` got, for texts that Ansible does not mask, such as the journal."""
    return Mask(vars(module).get(_KNOWN, []))


def fail_masked(module, words: str, **details: object) -> None:
    """`fail_json` for text that may come from another program: it masks secrets in every mixture of encodings."""
    module.fail_json(**mask_of_module(module).data({"msg": words, **details}))


def last_lines(said: str, mask: Mask | None = None, *, lines: int = 15, most: int = 2000) -> str:
    """The last lines of a program's output, masked. Keeps at most `most` characters."""
    words = mask.text(said) if mask else said
    shown = "\n".join(words.strip().splitlines()[-lines:])
    return shown if len(shown) <= most else "..." + shown[-most:]


def values_of(secrets: object) -> list[str]:
    """The strings and numbers of nested dictionaries and lists."""
    if isinstance(secrets, Mapping):
        return [value for item in secrets.values() for value in values_of(item)]
    if isinstance(secrets, (str, bytes)):
        text = secrets.decode(errors="replace") if isinstance(secrets, bytes) else str(secrets)
        return [text] if text.strip() else []
    if isinstance(secrets, Iterable):
        return [value for item in secrets for value in values_of(item)]
    return [] if secrets is None or isinstance(secrets, bool) else [str(secrets)]


# --- What is secret ---------------------------------------------------------------------------------------------------


def _passwords(value: str) -> set[str]:
    """The password of a URL as it is written, and secret parameters. One with a raw `/`, `#` or `@` in it is found too."""
    found = {match[1] for match in [re.match(r"[A-Za-z][A-Za-z0-9+.-]*://[^:@\s]*:(.+)@", value, re.DOTALL)] if match}
    try:
        url = urllib.parse.urlsplit(value)
        found |= {url.password or ""} if _URL.match(value) else set()
        query = url.query if _URL.match(value) else ""
    except ValueError:
        query = value.partition("?")[2] if _URL.match(value) else ""
    pairs = (pair.partition("=") for pair in query.split("&"))
    return (found | {secret for name, _equals, secret in pairs if _SECRET_PARAMETER.search(name)}) - {""}


def _lines(value: str) -> set[str]:
    """The secret lines of a key, because a log shows them one by one. Its first and last line only name its kind."""
    lines = [line.strip() for line in re.split(r"\r?\n|\\r\\n|\\n", value)]
    return {line for line in lines if len(line) > _LINE and not line.startswith("-----")} if len(lines) > 1 else set()


def _long_enough(word: str) -> bool:
    return len(word.strip()) >= AS_A_WORD and word.lower() not in _NO_SECRETS and not set(word) <= {"*"}


def _readings(value: str) -> set[str]:
    """A value, and its form in a text that is decoded once or twice more than it was encoded."""
    found, latest = {value}, {value}
    for _round in range(2):
        decoders = [*_DECODERS, _UNWRAPPED, _OTHER_OCTETS]
        latest = {view.text for word in latest for decoder in decoders if (view := _View(word).decoded(*decoder))} - found
        found |= {word for word in latest if len(set(word.strip())) >= AS_A_WORD and len(word.strip()) >= ANYWHERE}
    return found


def anchor(word: str) -> str:
    """The longest run of letters and digits: no encoding of single characters changes it."""
    return max(_RUN.findall(word), key=len, default="")


def _longest_encoding(word: str) -> int:
    """How many characters a word may take, encoded: letters and digits stay one, each other one becomes 24 at most."""
    plain = sum(map(len, _RUN.findall(word)))
    return plain + 24 * (len(word) - plain) + 64


def _skeleton(word: str) -> re.Pattern | None:
    """Where a word without a long run may stand: its first runs, with room between them. None where that says nothing."""
    runs = [found.span() for found in _RUN.finditer(word)][:3]
    if len(runs) < 2:
        return None
    gaps = [f".{{1,{16 * (after[0] - before[1])}}}?" for before, after in pairwise(runs)] + [""]
    return re.compile("".join(word[start:end] + gap for (start, end), gap in zip(runs, gaps)), re.DOTALL)


# --- Encodings --------------------------------------------------------------------------------------------------------


def _encoded(word: str) -> set[str]:
    """A word as the usual encoders write it, without the quotes around it."""
    quoted = word.replace("\\", "\\\\")
    return {
        *_percent(word),
        *_json(word),
        repr(word)[1:-1],
        repr(word.encode(errors="replace"))[2:-1],
        shlex.quote(word).removeprefix("'").removesuffix("'"),
        word.replace("'", "'\\''"),
        quoted.replace('"', '\\"').replace("$", "\\$").replace("`", "\\`"),
        quoted.replace("'", "\\'"),
        quoted.replace("'", "''"),
        word.replace("'", "''"),
        word.replace('"', '""'),
        word.replace("%", "%%"),
        html.escape(word),
        html.escape(word, quote=False),
        html.escape(word).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
        html.escape(word).replace("&#x27;", "&apos;"),
        word.replace("\n", "\r\n"),
        word.replace("\n", ""),
    }


def _percent(word: str) -> set[str]:
    upper = {urllib.parse.quote(word, safe=safe, errors="replace") for safe in ("", "/", "!*'()", "!$&'()*+,;=:@/?")}
    upper |= {urllib.parse.quote_plus(word, errors="replace")}
    return upper | {re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), form) for form in upper}


def _json(word: str) -> set[str]:
    found = {json.dumps(word)[1:-1], json.dumps(word, ensure_ascii=False)[1:-1]}
    found |= {re.sub("[<>&']", lambda one: f"\\u{ord(one[0]):04x}", form) for form in found}  # as web frameworks do
    return found | {form.replace("/", "\\/") for form in found}


def _hex(word: str) -> set[str]:
    digits = word.encode(errors="replace").hex()
    return {digits, digits.upper()}


def _escaped_whole(word: str) -> set[str]:
    """Every character escaped, letters and digits too."""
    characters, octets = [ord(one) for one in word], word.encode(errors="replace")
    found = {"".join(f"\\u{one:04x}" for one in characters), "".join(f"\\x{one:02x}" for one in octets)}
    found |= {"".join(f"%{one:02x}" for one in octets), "".join(f"&#x{one:x};" for one in characters)}
    upper = {re.sub(r"([0-9a-f]{2,})", lambda digits: digits[1].upper(), form) for form in found}
    return found | upper | {"".join(f"&#{one};" for one in characters), "".join(f"\\{one:03o}" for one in octets)}


def _base64(word: str) -> set[str]:
    """Alone or inside a longer text, where it can begin at three places; digits it shares with its neighbours are left out."""
    octets, found = word.encode(errors="replace"), set()
    for before, skipped in ((0, 0), (1, 2), (2, 3)):
        digits = base64.b64encode(bytes(before) + octets).decode().rstrip("=")
        digits = digits[skipped : len(digits) if (before + len(octets)) % 3 == 0 else -1]
        found |= {digits, digits.replace("+", "-").replace("/", "_")}
    return found


# --- Decoding, with the places in the original -------------------------------------------------------------------------


@dataclass
class _View:
    """A text as it reads once decoded. `pieces` are what was replaced: (start here, start and end in `parent`, length here)."""

    text: str
    parent: _View | None = None
    pieces: list[tuple[int, int, int, int]] = field(default_factory=list)

    def decoded(self, pattern: re.Pattern, replace: Callable[[str], str]) -> _View | None:
        """The view after a decoder; None where the decoder finds nothing to decode."""
        out, pieces, at, size = [], [], 0, 0
        for found in pattern.finditer(self.text):
            word = replace(found[0])
            if word != found[0]:
                out += [self.text[at : found.start()], word]
                size += found.start() - at
                pieces.append((size, found.start(), found.end(), len(word)))
                size, at = size + len(word), found.end()
        return _View("".join([*out, self.text[at:]]), self, pieces) if pieces else None

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Where a part of this text stands in the text that all decoding began with."""
        if self.parent is None:
            return start, end
        return self.parent.origin(self._before(start)[0], self._before(end - 1)[1])

    def _before(self, at: int) -> tuple[int, int]:
        """Start and end in the parent of what the character at `at` was made of."""
        number = bisect_right(self.pieces, (at, float("inf"), 0, 0)) - 1
        if number < 0:
            return at, at + 1
        here, start, end, length = self.pieces[number]
        if at < here + length:
            return start, end
        return end + at - here - length, end + at - here - length + 1


def _views(view: _View) -> Iterator[_View]:
    """The text itself, and the text decoded up to four times in every order. Yields no text twice."""
    seen, latest = {view.text}, [view]
    yield view
    for _depth in range(_DEPTH):
        following = []
        for one in latest:
            for decoder in _DECODERS:
                found = one.decoded(*decoder)
                if found and found.text not in seen:
                    seen.add(found.text)
                    following.append(found)
                    yield found
        latest = following


def _bytes(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def _unescape(token: str) -> str:
    """One escape of JSON, Python, C, a shell or PostgreSQL."""
    kind = token[1]
    if kind in "uU":
        code = "".join(chr(int(digits, 16)) for digits in re.findall(r"\\u(.{4})", token)) or chr(min(int(token[2:], 16), 0x10FFFF))
        return code.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if kind == "x":
        return _bytes(bytes.fromhex(token.replace("\\x", "")))
    if kind in "01234567":
        return _bytes(bytes(int(digits, 8) & 255 for digits in token.split("\\")[1:]))
    return {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "a": "\a", "v": "\v"}.get(kind, kind)


_UNWRAPPED = (re.compile(r"(?:\\r|\r)?(?:\\n|\n)[ \t]*"), lambda token: "")
#: `\xc3\xbc` is one character to whoever shows bytes, and two to whoever shows a text.
_OTHER_OCTETS = (re.compile(r"[\x80-\xff]+"), lambda token: _bytes(token.encode("latin-1")))
_OCTETS = r"%[0-7][0-9A-Fa-f]|(?:%[89A-Fa-f][0-9A-Fa-f])+"
_DECODERS: list[tuple[re.Pattern, Callable[[str], str]]] = [
    (re.compile(_OCTETS), lambda token: _bytes(bytes.fromhex(token.replace("%", "")))),
    (re.compile(rf"\+|{_OCTETS}"), lambda found: _bytes(bytes.fromhex(found.replace("%", "").replace("+", "20")))),
    (
        re.compile(
            r"\\u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8}"
            r"|\\x[0-7][0-9A-Fa-f]|(?:\\x[89A-Fa-f][0-9A-Fa-f])+|\\[01][0-7]{2}|(?:\\[2-3][0-7]{2})+|\\[^uUx0-7]|\\[0-7]",
            re.DOTALL,
        ),
        _unescape,
    ),
    (re.compile(r"&#?\w{1,32};"), html.unescape),
    (re.compile(r"''|\"\"|%%|\$\$"), lambda token: token[0]),
    (re.compile(r"'\\''|'\"'\"'"), lambda token: "'"),
]


# --- Places in a text -------------------------------------------------------------------------------------------------


def _all(word: str, text: str) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + 1)


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """In order, those that overlap or touch as one."""
    result: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result


def _touched(text: str, start: int, end: int) -> bool:
    return text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()


def _extended(text: str, start: int, end: int) -> tuple[int, int]:
    """All of the base64 around a part of it."""
    while start > 0 and _BASE64.match(text[start - 1]):
        start -= 1
    while end < len(text) and _BASE64.match(text[end]):
        end += 1
    return start, end

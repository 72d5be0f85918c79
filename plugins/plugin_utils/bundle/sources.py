# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application can be: a directory, a wheel, an sdist, the URL of one of these, or a commit of a Git repository."""

from __future__ import annotations

import re
import tarfile
import urllib.parse
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.bundle import source_files

#: How the place of the release's name is written in the address of a Git repository.
PLACE = "{release}"
#: How the path of a lock file begins that is in the application's directory, or in its repository.
INSIDE = "{application}/"
SHAPES = (
    "a directory, a wheel (.whl), an sdist (.tar.gz), a URL of one of these files, or git+https://HOST/PATH@{release} "
    "(git+ssh://, git+file:///)"
)
#: A name of a release: what a file, a unit's environment, a label of metrics and an argument of a command all take.
RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
RELEASE_FORM = "it has to begin with a letter or a digit and hold only letters, digits and . _ + -, at most 64 characters"
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]*")
_GIT = ("https", "ssh", "file")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Given:
    """An application as an inventory names it.

    `kind` is directory, wheel, sdist, url or git. `address` is a path, a URL, or what git takes for a repository; `reference` a tag, a
    branch or a commit of it, `subdirectory` the application's place in it; `sha256` what the URL says of its file.
    """

    kind: str
    address: str
    reference: str = ""
    subdirectory: str = ""
    sha256: str = ""

    @property
    def is_local(self) -> bool:
        return self.kind in ("directory", "wheel", "sdist")

    @property
    def shown(self) -> str:
        return shown(self.address)

    @property
    def filename(self) -> str:
        """The name of a file that a URL leads to."""
        return urllib.parse.unquote(urllib.parse.urlsplit(self.address).path.rpartition("/")[2])

    @property
    def identity(self) -> str:
        """What certainly tells a remote source from every other without asking for it; empty where nothing does."""
        if self.kind == "url" and self.sha256:
            return self.sha256
        fixed = re.fullmatch(r"[0-9a-f]{40}", self.reference)
        return self.of_commit(self.reference) if self.kind == "git" and fixed else ""

    def of_commit(self, commit: str) -> str:
        return f"{self.address} {self.subdirectory} {commit}"


def read(application: str, release: str = "") -> Given:
    """What an application is. Raises ParityError, whose message continues a sentence, for what is none, or is not there."""
    if re.search(r"[\s\x00-\x1f]", application) and ("://" in application or application != application.strip()):
        raise ParityError("has a space or a line break in it or at one end. Remove it")
    if application.startswith("git+"):
        return _git(application.removeprefix("git+"), release)
    if "://" in application:
        return _url(application)
    return _path(Path(application))


def problem(application: str, release: str = "") -> str:
    """Why this cannot be an application, without asking the network; empty where it can."""
    try:
        given = read(application, release)
    except ParityError as error:
        return str(error)
    check = {"directory": source_files.problem, "wheel": _wheel_problem, "sdist": _sdist_problem}.get(given.kind)
    return check(Path(given.address)) if check else ""


def lock_of(lock: str, application: Path, root: Path | None = None) -> Path:
    """The path of a lock file, which may be inside the application's directory, or elsewhere in its repository (`root`).

    Raises ParityError where it would be outside.
    """
    if not lock.startswith(INSIDE):
        return Path(lock)
    path = application / lock.removeprefix(INSIDE)
    if not application.is_dir() or not path.resolve().is_relative_to((root or application).resolve()):
        raise ParityError(f"{lock} is no path inside a directory or a repository. Name a lock file on the control node.")
    return path


def shown(address: str) -> str:
    """An address as a message may show it: without user, password and parameters, which may be a key to the file."""
    if "://" not in address:
        return address
    return re.sub(r"\?[^#\s]*", "?...", re.sub(r"://[^/\s]*@(?=[^/\s]*(/|$))", "://...@", address))


def _path(path: Path) -> Given:
    if path.is_dir():
        return Given("directory", str(path))
    if not path.exists():
        raise ParityError("does not exist on the control node; build the artifact first or correct the path")
    return Given(_kind_of_file(path.name), str(path))


def _kind_of_file(name: str) -> str:
    kind = {".whl": "wheel", ".tar.gz": "sdist"}.get(next((end for end in (".whl", ".tar.gz") if name.endswith(end)), ""))
    if kind is None:
        raise ParityError(f"names a file that is no wheel and no sdist; it can be {SHAPES}")
    return kind


def _url(address: str) -> Given:
    parts = urllib.parse.urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ParityError(f"is no address that can be used; it can be {SHAPES}")
    _refuse_password(parts, "~/.netrc on the control node")
    given = Given("url", urllib.parse.urlunsplit(parts._replace(fragment="")), sha256=_fragment(parts.fragment, "sha256"))
    if given.sha256 and not _DIGEST.fullmatch(given.sha256):
        raise ParityError("has a sha256 that is not 64 hexadecimal digits long. Correct it")
    _kind_of_file(given.filename)
    return given


def _git(address: str, release: str) -> Given:
    parts = urllib.parse.urlsplit(address)
    if parts.scheme not in _GIT or (parts.scheme != "file" and not parts.hostname):
        raise ParityError(f"is no address of a Git repository that can be used; it can be {SHAPES}")
    _refuse_password(parts, "git's credential helper or ~/.netrc on the control node", user=parts.scheme == "ssh")
    path, _at, reference = parts.path.rpartition("@")
    if not path or not reference:
        raise ParityError("does not say which tag, branch or commit it means. End it with @{release}")
    reference = reference.replace(PLACE, release)
    if not _REFERENCE.fullmatch(reference) or ".." in reference:
        raise ParityError(
            "has no name of a tag, a branch or a commit after its @" if release else "needs the name of the release, which is not set"
        )
    subdirectory = _fragment(parts.fragment, "subdirectory")
    if PurePosixPath(subdirectory).is_absolute() or ".." in PurePosixPath(subdirectory).parts:
        raise ParityError("has a subdirectory that is not below the repository. Correct it")
    return Given("git", urllib.parse.urlunsplit(parts._replace(path=path, fragment="")), reference, subdirectory)


def _fragment(fragment: str, name: str) -> str:
    """The value of the one thing that may follow the # of an address."""
    key, _equals, value = fragment.partition("=")
    if fragment and (key != name or not value or "&" in value):
        raise ParityError(f"has #{fragment[:40]}, and nothing but {name}=... may follow the #. Remove it")
    return value


def _refuse_password(parts: urllib.parse.SplitResult, place: str, *, user: bool = False) -> None:
    if parts.password is not None or (parts.username is not None and not user):
        raise ParityError(f"has a user or a password in it, which logs would show. Keep it in {place}")


def _wheel_problem(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            whole = any(name.endswith(".dist-info/METADATA") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile) as error:
        return f"is a wheel that cannot be read ({error}). Build it again"
    return "" if whole else "is a wheel without metadata. Build it again"


def _sdist_problem(path: Path) -> str:
    try:
        with tarfile.open(path) as archive:
            names = archive.getnames()
    except (OSError, EOFError, tarfile.TarError) as error:
        return f"is an sdist that cannot be read ({error}). Build it again"
    built = any(re.fullmatch(r"(\./)?[^/]+/(pyproject\.toml|setup\.py)", name) for name in names)
    return "" if built else "is an archive without a pyproject.toml or setup.py in its one directory, so it is no sdist. Build one"

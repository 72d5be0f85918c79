# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings an application that is somewhere else to the control node: a file from a URL, or a commit from a Git repository."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ansible.module_utils.urls import open_url
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.bundle import source_files
from ansible_collections.parity.stack.plugins.plugin_utils.bundle.sources import Given

#: Runs a command (a list of words) and returns (return code, standard output, standard error).
Runner = Callable[[list[str]], "tuple[int, str, str]"]

_SECONDS = 60


@dataclass(frozen=True)
class Fetched:
    """A local path of an application, and where it came from Git the commit and the directory of the whole repository."""

    path: Path
    commit: str = ""
    root: Path | None = None


def fetch(given: Given, cache: Path, work: Path, run: Runner) -> Fetched:
    """Bring an application to `work`; what makes the next time faster stays in `cache`."""
    if given.kind == "git":
        return _check_out(given, cache / "git", work / "checkout", run)
    if given.kind == "url":
        return Fetched(_download(given, work))
    return Fetched(Path(given.address))


def unreachable(given: Given, run: Runner) -> str:
    """Why a remote source cannot be fetched, from one question to its server; empty where it can, as far as that tells."""
    try:
        if given.kind == "git":
            commit_of(given, run)
        elif given.kind == "url":
            _open(given, "HEAD").close()
    except ParityError as error:
        return str(error)
    return ""


def commit_of(given: Given, run: Runner) -> str:
    """The commit that a tag or a branch names now; empty for what may be the name of a commit. Raises ParityError for neither."""
    listed = [line.split("\t") for line in _git(run, ["ls-remote", given.address], given).splitlines() if "\t" in line]
    there = {name: commit for commit, name in listed}
    for name in _names(given.reference):
        if name in there:
            return there[name]
    if _may_be_commit(given.reference):
        return ""
    tags = sorted(name.removeprefix("refs/tags/") for name in there if name.startswith("refs/tags/") and not name.endswith("^{}"))
    raise ParityError(
        f"names {given.reference}, and {given.shown} has no tag and no branch of this name. Push it, or name one that is there "
        f"(the last tags: {', '.join(tags[-5:]) or 'none'})"
    )


def _names(reference: str) -> list[str]:
    """What a reference may be, in this order: an annotated tag, a tag, a branch."""
    return [f"refs/tags/{reference}^{{}}", f"refs/tags/{reference}", f"refs/heads/{reference}"]


def _may_be_commit(reference: str) -> bool:
    return bool(re.fullmatch(r"[0-9a-f]{7,40}", reference))


def _check_out(given: Given, cache: Path, to: Path, run: Runner) -> Fetched:
    repository = cache / hashlib.sha256(given.address.encode()).hexdigest()[:16]
    repository.mkdir(parents=True, exist_ok=True)
    with (repository / "busy").open("w", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)  # another deployment may fetch from the same repository
        commit = _fetched_commit(given, repository, run)
        to.mkdir()
        places = ["--git-dir", str(repository), "--work-tree", str(to)]
        _git(run, [*places, "checkout", "--quiet", "--force", commit, "--", "."], given)
    if (to / ".gitmodules").exists():
        raise ParityError(f"{given.shown} has submodules, which are not fetched. Build a wheel of the application, and name that.")
    path = to / given.subdirectory
    if not path.is_dir():
        raise ParityError(
            f"{given.shown} has no directory {given.subdirectory} in {given.reference} ({commit[:12]}). Correct #subdirectory."
        )
    source_files.refuse_links_out_of(path)
    return Fetched(path, commit, to)


def _fetched_commit(given: Given, repository: Path, run: Runner) -> str:
    own = ["--git-dir", str(repository)]
    _git(run, ["init", "--quiet", "--bare", str(repository)], given)
    fetching = [*own, "fetch", "--quiet", "--force", "--prune", "--no-write-fetch-head", given.address]
    _git(run, [*fetching, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"], given)
    names = [f"refs/tags/{given.reference}", f"refs/heads/{given.reference}"]
    if _may_be_commit(given.reference):
        names.append(given.reference)
        if len(given.reference) == 40:  # no branch may lead to it: a server may give it by its name
            run([*_words(), *fetching, given.reference])
    for name in names:
        code, out, _err = run([*_words(), *own, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"])
        if code == 0:
            return out.strip()
    raise ParityError(f"{given.shown} has no tag, branch or commit {given.reference}. Push it, or name one that is there.")


def _words() -> list[str]:
    """git that asks nobody for a password, runs no program that a repository names, and changes no ends of lines."""
    ssh = os.environ.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
    settings = ["core.hooksPath=/dev/null", "core.autocrlf=false", "protocol.ext.allow=never", "advice.detachedHead=false"]
    options = [word for setting in settings for word in ("-c", setting)]
    return ["env", "LC_ALL=C", "GIT_TERMINAL_PROMPT=0", f"GIT_SSH_COMMAND={ssh}", "git", *options]


def _git(run: Runner, words: list[str], given: Given) -> str:
    if shutil.which("git") is None:
        raise ParityError("git is missing on the control node. Install it (apt install git), or name a directory or a wheel")
    code, out, err = run([*_words(), *words])
    if code != 0:
        raise ParityError(f"git cannot read {given.shown} on the control node: {err.strip()[-1500:] or out.strip()[-1500:]}")
    return out


def _download(given: Given, work: Path) -> Path:
    path = work / given.filename
    digest = hashlib.sha256()
    with _open(given, "GET") as answer, path.open("wb") as target:
        while part := _read(answer, given):
            digest.update(part)
            target.write(part)
    if given.sha256 and digest.hexdigest() != given.sha256:
        raise ParityError(
            f"{given.shown} has the sha256 {digest.hexdigest()}, and the inventory wants {given.sha256}. Nothing was packed. Find out "
            "whether somebody has changed the file."
        )
    return path


def _open(given: Given, method: str):
    try:
        return open_url(given.address, method=method, timeout=_SECONDS, use_netrc=True)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ParityError(
            f"cannot be downloaded from {given.shown} on the control node ({error}). Correct the address, or the way to it"
        ) from None


def _read(answer, given: Given) -> bytes:
    try:
        return answer.read(1 << 20)
    except (OSError, http.client.HTTPException) as error:
        raise ParityError(f"the download of {given.shown} ended early ({error}). Run this again.") from None

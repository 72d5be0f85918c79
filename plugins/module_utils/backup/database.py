# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make, verify and restore backups on one host, for a module or for a timer: a `Host` runs the tools."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from ansible_collections.parity.stack.plugins.module_utils.backup import manifest as manifests
from ansible_collections.parity.stack.plugins.module_utils.backup import offsite, repository, scratch
from ansible_collections.parity.stack.plugins.module_utils.backup.age import Age
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import sync_directory, write_atomically
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql

#: Everything of a dump but what only a superuser may set, or what belongs to the server.
PLAIN = ("--no-owner", "--no-privileges", "--no-comments", "--no-publications", "--no-subscriptions", "--no-security-labels")


class Host(Protocol):
    """What a run needs from its caller, a module or a timer."""

    check_mode: bool

    def find(self, tool: str) -> str | None:
        """Path of a program, or None."""

    def run(self, words: list[str], variables: dict[str, str], stdin: str | None = None) -> tuple[int, str, str]:
        """Run a program; returns its code, output and errors."""

    def hide(self, secret: str) -> None:
        """Never show this."""

    def progress(self, words: str) -> None:
        """Say how far a long work is."""


@dataclass(frozen=True)
class Wanted:
    """The inputs; the module documents them."""

    directory: str
    name: str
    database_url: str = field(default="", repr=False)
    label: str = ""
    keep: int = 7
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0
    announced: int = 0
    max_age: int = 0
    verify: str = "restore"
    file: str = ""
    required: bool = True
    parallel_above: int = 10 * 1024**3
    jobs: int = 2
    age_recipient: str = ""
    age_identity: str = field(default="", repr=False)
    confirm: str = ""
    exclude_schemas: tuple[str, ...] | list[str] = ()
    copy_to: dict[str, str] = field(default_factory=dict, repr=False)


class Work:
    """One call: its inputs, the host, the backups there are."""

    def __init__(self, host: Host, wanted: Wanted) -> None:
        self.host = host
        self.wanted = wanted
        self.directory = Path(wanted.directory)
        self.name = wanted.name
        self.good = manifests.good_backups(self.directory, self.name)
        self.host.hide(wanted.age_identity)
        self.age = Age(self.run, wanted.age_recipient, wanted.age_identity)

    @property
    def announced(self) -> int:
        """How many new backups this dry run has already announced."""
        return self.wanted.announced if self.host.check_mode else 0

    @property
    def keep(self) -> repository.Keep:
        """Which backups stay."""
        wanted = self.wanted
        return repository.Keep(wanted.keep, wanted.keep_daily, wanted.keep_weekly, wanted.keep_monthly)

    def target(self) -> postgresql.Target:
        target = postgresql.parse_url(self.wanted.database_url, "database_url")
        # The URL as a whole is masked by its option; the password may stand alone in somebody's message.
        self.host.hide(target.password)
        return target

    def run(self, words: list[str], stdin: str, variables: dict[str, str] | None = None) -> tuple[int, str, str]:
        """Run a program. Returns its code, output and errors; code 127 where it is not installed."""
        path = self.host.find(words[0])
        if path is None:
            return 127, "", ""
        return self.host.run([path, *words[1:]], {"LC_ALL": "C.UTF-8", **(variables or {})}, stdin or None)

    def tool(self, target: postgresql.Target, words: list[str]) -> str:
        """Run a program of PostgreSQL. Raises ParityError with the meaning of its words."""
        path = self.host.find(words[0])
        if path is None:
            raise ParityError(f"{words[0]} is not installed on this host. Install it: apt-get install {manifests.PACKAGES[words[0]]}")
        code, out, err = self.host.run([path, *words[1:]], {"LC_ALL": "C.UTF-8", "PGPASSWORD": target.password}, None)
        if code != 0:
            raise ParityError(manifests.explain_tool(words[0], err or out))
        return out


def present(work: Work) -> dict:
    target, wanted = work.target(), work.wanted
    if work.host.check_mode and postgresql.psycopg2 is None:
        return _predict_blind(work, target)
    try:
        control = postgresql.connect(target)
    except ParityError as error:
        if _nothing_to_back_up(work, target):
            return {"changed": False, "file": "", "reason": f"Nothing to back up yet: {error}"}
        raise
    with closing(control), _only_one(work):
        control.autocommit = True
        _refuse_older_tools(work, target, control)
        found = manifests.fresh(work.good, wanted.label, wanted.max_age, _now())
        if found:
            return {"changed": False, "file": str(found.path), "manifest": found.manifest, "reason": "The last backup is fresh"}
        remains = manifests.remains(work.directory, work.name)
        size = postgresql.rows(control, "select pg_database_size(current_database())")[0][0]
        _refuse_full_disk(work, size)
        if work.host.check_mode:
            return _announce(work, target, remains)
        scratch.take_lock(control, target)
        for path in remains:
            _remove(path)
        dump, manifest = _dump(work, target, control, size)
        return {
            "changed": True,
            "file": str(dump),
            "manifest": manifest,
            "removed": [str(path) for path in remains],
            "reason": f"{target.place} is backed up: {len(manifest['tables'])} tables, {manifest['rows']} rows",
            "diff": {"before": "", "after": f"{dump}\n"},
        }


def _dump(work: Work, target: postgresql.Target, control, size: int) -> tuple[Path, dict]:
    """Dump, prove, encrypt, and only then give the dump its name."""
    wanted, started = work.wanted, _now()
    dump = work.directory / repository.file_name(work.name, wanted.label, started, manifests.DUMP)
    partial = dump.with_name(dump.name + ".partial")
    parallel = size >= wanted.parallel_above
    plain = dump.with_name(dump.name + (".directory.partial" if parallel else ".plain.partial"))
    paths = (partial, plain)
    try:
        with closing(postgresql.connect(target)) as snapshot:
            identifier = scratch.export_snapshot(snapshot)
            work.host.progress(f"counting the rows of {target.place}, {size // repository.MIB} MiB")
            contents = scratch.contents(snapshot, work.host.progress, wanted.exclude_schemas)
            work.host.progress(f"dumping {len(contents.rows)} tables, {sum(contents.rows.values())} rows")
            words = ["pg_dump", "--no-password", "--lock-wait-timeout=30s", f"--snapshot={identifier}", *_excluded(work)]
            if parallel:
                words += ["--format=directory", f"--jobs={wanted.jobs}"]
            else:
                words += ["--format=custom"]
                repository.make_private(plain)
            work.tool(target, [*words, f"--file={plain}", f"--dbname={target.conninfo()}"])
            schema = _schema(work, target, None, identifier)
        _prove(work, target, control, plain, contents, schema)
        packed = _pack(plain, dump.with_name(dump.name + ".tar.partial")) if parallel else plain
        paths = (partial, plain, packed)
        facts = {"plain_size": packed.stat().st_size, "plain_sha256": repository.sha256(packed)}
        encryption = _encrypt(work, packed, partial, facts["plain_sha256"])
        repository.sync(partial)
        work.host.progress("computing the checksum")
        manifest = {
            "format": 2,
            "name": work.name,
            "label": wanted.label,
            "file": dump.name,
            "size": partial.stat().st_size,
            "sha256": repository.sha256(partial),
            **facts,
            "dump_format": "directory in a tar file" if parallel else "custom",
            "encryption": encryption,
            "database": target.database,
            "database_size": size,
            "server": f"{target.host}:{target.port}",
            "server_version": postgresql.rows(control, "show server_version")[0][0],
            "extensions": dict(postgresql.rows(control, "select extname, extversion from pg_extension order by 1")),
            "pg_dump": work.tool(target, ["pg_dump", "--version"]).strip(),
            "started": manifests.timestamp(started),
            "finished": manifests.timestamp(_now()),
            "verified": wanted.verify,
            "rows": sum(contents.rows.values()),
            "tables": contents.rows,
            "samples": contents.samples,
            "schema_sha256": manifests.text_sha256(schema),
        }
        text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
        write_atomically(manifests.manifest_path(dump), text, mode=0o600)
        os.rename(partial, dump)
        sync_directory(work.directory)
    finally:
        for path in paths:
            _remove(path)
    return dump, manifest


def _schema(work: Work, target: postgresql.Target, database: str | None, snapshot: str = "") -> str:
    """The structure of a database as text; the same structure gives the same text every time."""
    words = ["pg_dump", "--schema-only", "--no-password", *PLAIN, *_excluded(work), f"--dbname={target.conninfo(database)}"]
    return manifests.normal_schema(work.tool(target, words + ([f"--snapshot={snapshot}"] if snapshot else [])))


def _excluded(work: Work) -> list[str]:
    return [f"--exclude-schema={name}" for name in work.wanted.exclude_schemas]


def _prove(work: Work, target: postgresql.Target, control, dump: Path, contents: scratch.Contents, schema: str | None) -> None:
    """Raise ParityError where a restore of the dump differs from what was dumped."""
    work.tool(target, ["pg_restore", "--list", str(dump)])
    if work.wanted.verify == "readable":
        return
    with scratch.database(control, target) as name:
        work.host.progress("restoring the dump into a scratch database")
        options = ["--exit-on-error", "--no-password", *PLAIN, *_jobs(work, dump)]
        work.tool(target, ["pg_restore", *options, f"--dbname={target.conninfo(name)}", str(dump)])
        _compare(work, target, name, contents, schema)


def _compare(work: Work, target: postgresql.Target, name: str, contents: scratch.Contents, schema: str | None) -> None:
    work.host.progress("comparing what was restored with what was dumped")
    with closing(postgresql.connect(target, name)) as restored:
        found = manifests.differences(contents, scratch.contents(restored, work.host.progress, work.wanted.exclude_schemas))
    if schema is not None:
        found += manifests.schema_differences(schema, _schema(work, target, name))
    if found:
        raise ParityError(f"The restored dump differs from what was dumped: {'; '.join(found)}. The dump was not kept.", differences=found)


def _jobs(work: Work, dump: Path) -> list[str]:
    return [f"--jobs={work.wanted.jobs}"] if dump.is_dir() else []


# Encryption and packing


def _pack(folder: Path, to: Path) -> Path:
    """A directory of dumped tables as one file; what is in it is compressed already."""
    descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream, tarfile.open(fileobj=stream, mode="w") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, arcname=path.name)
    shutil.rmtree(folder)
    return to


def _unpack(file: Path, folder: Path) -> None:
    folder.mkdir(mode=0o700)
    with tarfile.open(file) as tar:
        for member in tar:
            source = tar.extractfile(member)
            if source is None or "/" in member.name:
                raise ParityError(f"{file} holds {member.name!r}, which no dump has. Do not use it.")
            with (folder / member.name).open("wb") as stream:
                shutil.copyfileobj(source, stream)


def _encrypt(work: Work, plain: Path, partial: Path, digest: str) -> str:
    """Turn the proved dump, which has the SHA-256 `digest`, into what is kept. Returns how it is encrypted."""
    if not work.age:
        os.rename(plain, partial)
        return "none"
    work.host.progress("encrypting")
    work.age.encrypt(plain, partial, digest, "dump")
    return "age"


@contextmanager
def _opened(work: Work, backup: repository.Backup) -> Iterator[Path]:
    """What pg_restore can read of a backup: a file or a directory, removed afterwards where it had to be made."""
    plain = work.directory / (backup.path.name + ".plain.partial")
    folder = work.directory / (backup.path.name + ".directory.partial")
    path = backup.path
    try:
        if backup.manifest.get("encryption", "none") != "none":
            work.age.decrypt(path, plain)
            path = plain
        if backup.manifest.get("dump_format", "custom") != "custom":
            _unpack(path, folder)
            path = folder
        yield path
    finally:
        _remove(plain)
        _remove(folder)


# Proving again, restoring, removing


def verified(work: Work) -> dict:
    target = work.target()
    if work.host.check_mode and (postgresql.psycopg2 is None or not work.good):
        return {"changed": False, "file": "", "reason": "There is no backup yet; a real run verifies the one made before it"}
    backup = chosen(work)
    manifests.check_whole(backup)
    result = {"changed": False, "file": str(backup.path), "manifest": backup.manifest}
    if work.host.check_mode:
        return {**result, "reason": f"{backup.path} is whole; a real run also restores it into a scratch database"}
    with closing(postgresql.connect(target)) as control, _opened(work, backup) as dump:
        control.autocommit = True
        scratch.take_lock(control, target)
        _prove(work, target, control, dump, _contents_of(backup), None)
    return {**result, "reason": f"{backup.path} is whole, and its restore equals what was dumped"}


def restored(work: Work) -> dict:
    """Restore beside the live database, verify the result, and then change the names."""
    target = work.target()
    if work.wanted.confirm != target.database:
        raise ParityError(
            f"A restore replaces the database {target.database} by one from a backup, without anything written since then. The current "
            f"database stays under another name. To confirm, give its name: -e restore_confirm={target.database}"
        )
    backup = chosen(work)
    manifests.check_whole(backup)
    stamp = _now().strftime("%Y%m%dt%H%M%S")
    old = f"{target.database[:40]}_before_{stamp}"
    says = f"{backup.path.name} of {backup.manifest['finished']} takes the place of {target.database}, which is kept as {old}"
    diff = {"before": "", "after": f"{target.database} from {backup.path}\n"}
    if work.host.check_mode:
        return {"changed": True, "file": str(backup.path), "manifest": backup.manifest, "reason": says, "diff": diff}
    with closing(postgresql.connect(target)) as control, _only_one(work), _opened(work, backup) as dump:
        control.autocommit = True
        scratch.take_lock(control, target)
        with scratch.database(control, target, name=f"{target.database[:40]}_new_{stamp}", keep=True) as name:
            work.host.progress(f"restoring {backup.path} into {name}")
            _restore(work, target, dump, name)
            _compare(work, target, name, _contents_of(backup), None)
            facts = scratch.database_facts(control)
            control.close()
            work.host.progress(f"{name} is proved; changing the names")
            scratch.exchange(target, new=name, old=old, facts=facts)
    return {"changed": True, "file": str(backup.path), "manifest": backup.manifest, "kept": old, "reason": says, "diff": diff}


def _restore(work: Work, target: postgresql.Target, dump: Path, name: str) -> None:
    """Restore with privileges and comments, except those of extensions: only the extension's owner may set them."""
    listed = work.tool(target, ["pg_restore", "--list", str(dump)])
    chosen_entries = work.directory / repository.file_name(work.name, "", _now(), ".list.partial")
    try:
        write_atomically(chosen_entries, manifests.restorable(listed), mode=0o600)
        options = ["--exit-on-error", "--no-password", "--no-owner", "--no-publications", "--no-subscriptions", *_jobs(work, dump)]
        words = ["pg_restore", *options, f"--use-list={chosen_entries}", f"--dbname={target.conninfo(name)}", str(dump)]
        work.tool(target, words)
    finally:
        _remove(chosen_entries)


def _contents_of(backup: repository.Backup) -> scratch.Contents:
    return scratch.Contents(backup.manifest["tables"], backup.manifest.get("samples", {}))


def chosen(work: Work) -> repository.Backup:
    """The backup that was named, or the newest one."""
    named = work.wanted.file
    if named:
        path = Path(named) if "/" in named else work.directory / named
        manifest = manifests.read_manifest(path)
        if manifest is None or not path.is_file():
            raise ParityError(f"{path} is not a backup: the dump or its manifest beside it is missing or cannot be read.")
        return repository.Backup(path, manifest)
    # Damaged backups count too: where the newest one is damaged, the run has to find it, not skip it.
    dumps = repository.own_files(work.directory, work.name, manifests.DUMP)
    manifest = manifests.read_manifest(dumps[-1]) if dumps else None
    if manifest is None:
        what = f"the manifest of {dumps[-1]} cannot be read" if dumps else f"no backup of {work.name} in {work.directory}"
        raise ParityError(f"There is no backup to use: {what}. Make one: the entry point create of the role backup.")
    return repository.Backup(dumps[-1], manifest)


def pruned(work: Work) -> dict:
    with _only_one(work):
        paths = manifests.remains(work.directory, work.name)
        for backup in repository.superfluous(work.good, work.keep, work.announced):
            paths += [backup.path, manifests.manifest_path(backup.path)]
        if not work.host.check_mode:
            for path in paths:
                _remove(path)
    names = [str(path) for path in paths]
    kept = len(work.good) + work.announced - sum(name.endswith(".dump") for name in names)
    return {
        "changed": bool(names),
        "removed": names,
        "reason": f"{kept} good backups stay",
        "diff": {"before": "".join(f"{name}\n" for name in names), "after": ""},
    }


# Off-site copies


def copied(work: Work) -> dict:
    """Make an off-site copy of every good backup, and remove the off-site copies that retention does not keep."""
    for secret in offsite.secrets(work.wanted.copy_to):
        work.host.hide(secret)
    place = offsite.OffSitePlace(work.run, work.wanted.copy_to)
    there = _there(place, work)
    missing, gone = repository.off_site(there, work.good, work.keep, work.announced)
    if not work.host.check_mode:
        for backup in missing:
            work.host.progress(f"copying {backup.path.name}, {backup.manifest['size'] // repository.MIB} MiB")
            _send(place, backup)
        for backup in gone:
            # The manifest first: without it, a dump is no backup.
            place.remove([manifests.manifest_path(backup.path).name])
            place.remove([backup.path.name])
    names = [backup.path.name for backup in missing]
    return {
        "changed": bool(names or gone or work.announced),
        "removed": [backup.path.name for backup in gone],
        "reason": f"{len(there) + len(names) - len(gone)} backups have an off-site copy",
        "diff": {"before": "".join(f"{one.path.name}\n" for one in gone), "after": "".join(f"{name}\n" for name in names)},
    }


def _there(place: offsite.OffSitePlace, work: Work) -> list[repository.Backup]:
    """The backups whose manifest is off-site, oldest first: the manifest is copied last."""
    names = place.files(below=False, check=work.host.check_mode)
    found = [manifests.named(Path(name), work.name) for name in sorted(names)]
    return [one for one in found if one and manifests.manifest_path(one.path).name in names]


def _send(place: offsite.OffSitePlace, backup: repository.Backup) -> None:
    """Copy the dump and compare it, then copy its manifest: a dump without one counts as no backup, and is copied again."""
    place.send_one(backup.path)
    place.compare(backup.path.parent, [backup.path.name])
    place.send_one(manifests.manifest_path(backup.path))


ACTIONS = {"present": present, "verified": verified, "restored": restored, "pruned": pruned, "copied": copied}


def perform(host: Host, state: str, wanted: Wanted) -> dict:
    """Check the inputs and do what `state` says."""
    names = ("directory", "name", "label", "keep", "max_age", "age_recipient", "age_identity", "copy_to")
    problems = manifests.input_problems(**{name: getattr(wanted, name) for name in names})
    if problems:
        raise ParityError(" | ".join(problems))
    return {"removed": [], **ACTIONS[state](Work(host, wanted))}


# Checks before the work


def _refuse_older_tools(work: Work, target: postgresql.Target, control) -> None:
    if work.host.check_mode and work.host.find("pg_dump") is None:
        return  # Installed before it is needed.
    ours = manifests.tool_version(work.tool(target, ["pg_dump", "--version"]))
    server = control.server_version // 10000
    if ours < server:
        raise ParityError(
            f"pg_dump on this host is version {ours}, the server is {server}: it cannot be dumped with an older "
            f"version. Install postgresql-client-{server}, or run the backup on a host that has it."
        )


def _refuse_full_disk(work: Work, size: int) -> None:
    if not work.directory.is_dir():
        return  # Made by the role before; absent in a dry-run of the first run.
    copies = 1 + bool(work.age or size >= work.wanted.parallel_above)
    repository.check_space(work.directory, copies * manifests.space_needed(size, work.good), "backup_directory")


def _nothing_to_back_up(work: Work, target: postgresql.Target) -> bool:
    """Whether the database was never deployed, as far as this host shows it without a connection to it."""
    if work.wanted.required or repository.own_files(work.directory, work.name, manifests.DUMP):
        return False
    try:
        with closing(postgresql.connect_locally(target.port)) as connection:
            query = "select 1 from pg_database where datname = %s"
            return not postgresql.rows(connection, query, (target.database,))
    except ParityError:
        return not _answers(target)


def _answers(target: postgresql.Target) -> bool:
    try:
        socket.create_connection((target.host, target.port), timeout=5).close()
    except OSError:
        return False
    return True


def _predict_blind(work: Work, target: postgresql.Target) -> dict:
    """What a run would do, before the driver is installed: without it, the server cannot be queried."""
    if not _answers(target):
        if _nothing_to_back_up(work, target):
            return {"changed": False, "file": "", "reason": f"Nothing to back up yet: {target.place} does not answer"}
        raise ParityError(f"The server of database {target.place} does not answer. Is PostgreSQL running?")
    return _announce(work, target, [])


def _announce(work: Work, target: postgresql.Target, remains: list[Path]) -> dict:
    dump = work.directory / repository.file_name(work.name, work.wanted.label, _now(), manifests.DUMP)
    return {
        "changed": True,
        "file": "",
        "removed": [str(path) for path in remains],
        "reason": f"{target.place} would be dumped into {work.directory} and proved by restoring it",
        "diff": {"before": "", "after": f"{dump} (with the time of the run)\n"},
    }


@contextmanager
def _only_one(work: Work) -> Iterator[None]:
    """One run at a time in a directory; a dry run changes nothing and waits for nobody."""
    if work.host.check_mode:
        yield
        return
    if not work.directory.is_dir():
        raise ParityError(f"{work.directory} does not exist. The role backup makes it; apply its entry point create.")
    with repository.locked(work.directory):
        yield


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        with suppress(FileNotFoundError):
            path.unlink()


def _now() -> datetime:
    return datetime.now(UTC)

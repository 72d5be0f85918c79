#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: schema_migrations
short_description: Plan and apply SQL migrations in Supabase's layout
version_added: 0.1.0
description:
  - Compares migration files with the history table C(supabase_migrations.schema_migrations), which it shares with Supabase's
    command line, and applies what is missing, each file in a transaction of its own together with its history row.
  - Keeps checksums of applied files in C(supabase_migrations.parity_checksums), to find a file that was edited after it was applied.
    In a database that another tool has migrated, it compares the statements that the tool recorded, and goes on from there.
  - One migrator works at a time, under a session advisory lock on a connection of its own. A statement that does not get its
    lock within I(lock_timeout) releases all its locks, waits, and tries again, so that no other statement queues up behind it.
  - A file with statements that cannot run in a transaction (C(CONCURRENTLY), C(VACUUM)) runs outside of one. An invalid index
    that a failed or killed run leaves is removed.
  - The control node reads the files with PostgreSQL's own parser (C(pglast)) and judges each statement; the host gets the judged plan.
  - What takes something away from the release that runs (drops, renames, changes of type, NOT NULL without a default, deleted
    rows), and what cannot be judged (SQL put together at run time, a function the file does not show), is refused unless the file says
    C(-- parity:destructive) in a line of its own and I(allow_destructive) is set. It then runs in I(phase=destructive), which is for
    after the release has proved itself. In a database without tables a migration cannot remove anything, so everything runs in order.
  - C(-- parity:statement_timeout=2h) in a file gives its statements more time, C(-- parity:no-transaction) lets it run outside of
    a transaction as a whole.
  - Files that end in C(.py) are revisions of Alembic. Once the release is staged, they are judged by what Alembic itself renders in
    the release's own environment (as C(alembic upgrade --sql) does), before that by what their files show; what cannot be rendered or
    read cannot be judged. Alembic applies them one by one, under the same lock. Its timeouts reach drivers that use libpq (psycopg,
    psycopg2).
  - In check mode a database or driver that is not there yet counts as a database without history.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes, parity.stack.migrations]
requirements:
  - psycopg2 (C(python3-psycopg2)) on the host that runs the module
  - pglast on the control node
options:
  database_url:
    description: >-
      Connection of the schema's owner, direct or through a session pooler. The port of a transaction pooler (6543), where
      locks of a session do not hold, is refused.
    type: str
    required: true
  migrations:
    description: >-
      The files, each with C(file) (its name, VERSION_NAME.sql, or that of a revision of Alembic) and C(sql) (its text).
    default: []
  directory:
    description: Instead of I(migrations), the directory on the control node that holds them.
    type: path
  judged:
    description: The judged plan, which the control node makes from I(migrations). Do not write it by hand.
    type: list
    elements: dict
    default: []
  state:
    description:
      - V(planned) changes nothing and returns what would run, in which order, and which locks it takes.
      - V(applied) applies the files of I(phase), or the one that I(file) names.
      - V(rendered) changes nothing and returns as RV(alembic) how Alembic reads the project, where the release is on this host.
      - V(checked) changes nothing and returns as RV(problems) why the files cannot run. Where the database cannot be read, every file
        counts as pending.
    type: str
    choices: [planned, applied, checked, rendered]
    default: applied
  phase:
    description: Whether to run the additive migrations, or the destructive ones.
    type: str
    choices: [additive, destructive]
    default: additive
  file:
    description:
      - The next file to apply, one of C(steps) or C(later) of a plan, so that the operator sees each file as a step.
      - V(checksums) only records the checksums of files that another tool has applied.
    type: str
  fresh:
    description: >-
      RV(fresh) of the plan. Pass it when the steps of a plan are applied one by one, because after the first step the database has
      tables.
    type: bool
    default: false
  allow_destructive:
    description: Whether somebody has approved the destructive migrations that are pending.
    type: bool
    default: false
  accept_edited:
    description: Versions whose files changed after they were applied, without an effect. The module records their checksums again.
    type: list
    elements: str
    default: []
  alembic:
    description: Where the project is on this host, for migrations that are revisions of Alembic, or migrations of Django.
    type: dict
    suboptions:
      directory:
        description: >-
          Directory with C(env.py) and C(versions/). The migrations of Django are in the applications of the release, C(app) beside it.
        type: path
        required: true
      python:
        description: The Python of the release's virtual environment.
        type: path
        required: true
      user:
        description: System user that runs it. By default the user that runs the module.
        type: str
        default: ""
      variable:
        description: Environment variable in which C(env.py) finds the URL. It is in C(sqlalchemy.url) too.
        type: str
        default: DATABASE_URL
      environment:
        description: Settings that C(env.py) and the application need as environment variables, usually those of the release's services.
        type: dict
        default: {}
      secrets:
        description: Environment variables whose values are never shown, for the same.
        type: dict
        default: {}
      tool:
        description: Whose project it is, as the control node has found. Do not write it by hand.
        type: str
        choices: [alembic, django]
        default: alembic
      settings:
        description: The project's settings for Alembic. The control node reads them from C(alembic.ini). Do not write them by hand.
        type: dict
        default: {}
      version_table:
        description: >-
          Where the project keeps its versions, C([name, schema]), as the control node or Alembic has read it. Empty where neither could.
        type: list
        elements: str
        default: [alembic_version, ""]
  plan:
    description: RV(plan) of the call that planned. With it, revisions are not judged again for each step.
    type: list
    elements: dict
    default: []
  stack:
    description: Name of the stack. With I(run), each migration is noted in the stack's journal on this host before it is applied and after.
    type: str
    default: ""
  run:
    description: The run that migrates, as M(parity.stack.release) names it. Without it, the journal gets no entries.
    type: str
    default: ""
  lint:
    description: The findings of C(parity.stack.schema_lint); the plan shows them.
    type: list
    elements: dict
    default: []
  lock_timeout:
    description: How long a statement waits for a lock, with other statements in the queue behind it, before it gives up for a while.
    type: str
    default: 2s
  lock_retries:
    description: How often it tries again. The pauses grow from half a second to 15 seconds.
    type: int
    default: 30
  statement_timeout:
    description: How long a statement may take; V(0) is without limit.
    type: str
    default: 15min
  wait_seconds:
    description: How long to wait for another migrator of the same database.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Plan the migrations
  parity.stack.schema_migrations:
    database_url: "{{ owner_url }}"
    migrations: "{{ bundle.migrations }}"
    state: planned
  register: plan

- name: Apply the planned migrations
  parity.stack.schema_migrations:
    database_url: "{{ owner_url }}"
    migrations: "{{ bundle.migrations }}"
    file: "{{ item }}"
    fresh: "{{ plan.fresh }}"
  loop: "{{ plan.steps }}"
"""

RETURN = r"""
pending:
  description: Files that were applied, or would be, in order.
  type: list
  elements: str
  returned: always
  sample: [20260102030405_documents.sql]
steps:
  description: Values for I(file), one after the other, to apply them; V(checksums) comes first where checksums have to be recorded.
  type: list
  elements: str
  returned: when state is planned
later:
  description: Destructive files that wait until the release has proved itself.
  type: list
  elements: str
  returned: always
ahead:
  description: >-
    Files of a later release that are applied and that this release does not have. They only added something when they were applied, so
    that the release runs with them; with others it is refused.
  type: list
  elements: str
  returned: always
fresh:
  description: Whether the database has no tables, so that a migration cannot remove anything.
  type: bool
  returned: always
plan:
  description: >-
    For each pending file, whether it is destructive and why, whether it runs in a transaction, its checksum, and its statements with
    their lines and the locks they take.
  type: list
  elements: dict
  returned: when state is planned
applied:
  description: Versions in the history table before this call.
  type: list
  elements: str
  returned: always
unverified:
  description: >-
    Applied files with statements that another tool recorded, and without a checksum, each with C(file), C(version) and C(statements).
    The control node compares them with the files.
  type: list
  elements: dict
  returned: always
problems:
  description: Why the files cannot run, each reason as a sentence with the remedy.
  type: list
  elements: str
  returned: when state is checked
alembic:
  description: >-
    The project as Alembic reads it: C(revisions) in order, each with its C(version), C(file), C(parents) and C(sql) or C(error), C(heads),
    C(version_table) and C(version_table_schema); or C(error), where its C(env.py) renders nothing. As Django reads it, C(migrations) in
    order. None where the release is not on this host.
  type: dict
  returned: when state is rendered
asked:
  description: Whether the database could be read; RV(reason) says why not.
  type: bool
  returned: when state is checked
reason:
  description: Why the database could not be read.
  type: str
  returned: when state is checked and the database could not be read
attempts:
  description: For each file that was applied, how many attempts it took to get its locks.
  type: dict
  returned: when state is applied
"""

from contextlib import closing
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.failures import answer
from ansible_collections.parity.stack.plugins.module_utils.masking import mask_module
from ansible_collections.parity.stack.plugins.module_utils.migrations import alembic, alembic_runner, django, django_runner, pending
from ansible_collections.parity.stack.plugins.module_utils.migrations import runner as migration_runner
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql
from ansible_collections.parity.stack.plugins.module_utils.release import commands, journal
from ansible_collections.parity.stack.plugins.module_utils.release.layout import Layout

ONLY_CHECKSUMS = "checksums"


def migrate(module: AnsibleModule) -> dict:
    params = module.params
    try:
        target = postgresql.parse_url(params["database_url"], "database_url")
    except ParityError as error:
        if params["state"] != "checked":
            raise
        return {"changed": False, "problems": [], "asked": False, "unverified": [], "reason": str(error)}
    # The URL as a whole is masked by its option; the password may stand alone in somebody's message.
    mask_module(module, target.password)
    if params["state"] == "rendered":
        project = _project(module)
        there = project is not None and project.there
        return {"changed": False, "alembic": alembic_runner.describe(project, _command(module)) if there else None}
    work = _work(module, target)
    if params["state"] == "checked":
        return _check(module, work)
    if module.check_mode or params["state"] == "planned":
        return _result(module, work, *_look(module, work))
    with migration_runner.only_migrator(target, params["wait_seconds"]) as guard:
        state, plan, unrecorded = _look(module, work)
        migration_runner.prepare(guard.connection, unrecorded, history_table=isinstance(work, SqlFiles))
        names = ("lock_timeout", "lock_retries", "statement_timeout", "wait_seconds")
        runner = work.runner(guard, migration_runner.Limits(**{name: params[name] for name in names}))
        attempts = {migration.file: _apply(module, work, runner, migration) for migration in _chosen(module, plan)}
        return {**_result(module, work, state, plan, unrecorded), "attempts": attempts}


def _apply(module: AnsibleModule, work, runner, migration) -> int:
    """Apply one file, and note it in the journal. Returns how many attempts it took."""
    if not module.params["run"]:
        return runner.apply(migration)
    path = Layout(module.params["stack"]).journal
    with journal.applying(path, module.params["run"], migration.file, lambda: _phase_after_failure(work, migration)):
        return runner.apply(migration)


def _phase_after_failure(work, migration) -> str | None:
    """Read the state of a file that failed: its answer may have been lost, or a part of it may stay."""
    try:
        with closing(migration_runner.open_session(work.target, "parity migrations: what stays")) as connection:
            if migration.version in work.state(connection).history:
                return journal.MIGRATED
    except ParityError:
        return None
    return journal.NOT_MIGRATED if work.whole(migration) else None


def _work(module: AnsibleModule, target: postgresql.Target) -> Files:
    kinds = {entry["file"].rpartition(".")[2] for entry in module.params["judged"]}
    if kinds == {"py", "sql"}:
        raise ParityError("The migrations are SQL files and revisions of Alembic at once. Keep one kind.")
    if kinds != {"py"}:
        return SqlFiles(module, target)
    is_django = (module.params["alembic"] or {}).get("tool") == "django"
    return (DjangoProject if is_django else AlembicProject)(module, target)


class Files:
    """Judged migrations and the database they are for."""

    def __init__(self, module: AnsibleModule, target: postgresql.Target) -> None:
        self.module = module
        self.target = target
        self.local = [pending.Migration.judged(entry) for entry in module.params["judged"]]

    def ahead(self, state: migration_runner.State) -> list[str]:
        """The files that the database has and the release does not, of those with which it can run."""
        return pending.additive(self.missing(state), state.history)

    def missing(self, state: migration_runner.State) -> list[str]:
        """The versions that the database has and the release does not."""
        return pending.missing(self.local, state.history)


class SqlFiles(Files):
    """Migrations as Supabase's command line keeps them."""

    def state(self, connection) -> migration_runner.State:
        return migration_runner.read_state(connection)

    def drift(self, state: migration_runner.State) -> list[str]:
        return pending.drift(self.local, state.history, self.module.params["accept_edited"])

    def whole(self, migration) -> bool:
        """Whether a file that failed has left nothing behind."""
        return migration.transactional

    def runner(self, guard: migration_runner.Guard, limits: migration_runner.Limits):
        return migration_runner.Runner(self.target, guard, limits, self.module.log)


class AlembicProject(Files):
    """Revisions of Alembic, applied by the release's own alembic."""

    def state(self, connection) -> migration_runner.State:
        return alembic_runner.read_state(connection, self.local, _table(self.module))

    def drift(self, state: migration_runner.State) -> list[str]:
        return alembic.drift(self.local, state.history, self.module.params["accept_edited"])

    def whole(self, migration) -> bool:
        """Whether a revision that failed has left nothing behind: an autocommit block or a COMMIT ends its transaction early."""
        return "commit" not in migration.text.lower()

    def runner(self, guard: migration_runner.Guard, limits: migration_runner.Limits):
        project = _project(self.module)
        if project is None:
            raise ParityError("These are revisions of Alembic. The option alembic has to say where the project is on this host.")
        return alembic_runner.AlembicRunner(self.target, guard, limits, project, _command(self.module), self.local, _table(self.module))


class DjangoProject(Files):
    """Migrations of Django, applied by the release's own Django."""

    def state(self, connection) -> migration_runner.State:
        return django_runner.read_state(connection, self.local)

    def drift(self, state: migration_runner.State) -> list[str]:
        return django.drift(self.local, state.history, self.module.params["accept_edited"])

    def missing(self, state: migration_runner.State) -> list[str]:
        return django.missing(self.local, state.history)

    def whole(self, migration) -> bool:
        """Whether a migration that failed has left nothing behind."""
        return migration.transactional and "commit" not in migration.text.lower()

    def runner(self, guard: migration_runner.Guard, limits: migration_runner.Limits):
        project, command = _project(self.module), _command(self.module)
        return django_runner.DjangoRunner(self.target, guard, limits, project, command, self.local, alembic_runner.Table())


def _project(module: AnsibleModule) -> alembic_runner.Project | None:
    wanted = module.params["alembic"]
    if not wanted:
        return None
    given = commands.expanded({**wanted["environment"], **wanted["secrets"]}, Path(wanted["directory"]).parent / "build")
    return alembic_runner.Project(
        wanted["directory"],
        wanted["python"],
        wanted["user"],
        module.params["database_url"],
        wanted["variable"],
        {name: str(value) for name, value in given.items()},
        {name: str(value) for name, value in wanted["settings"].items()},
        wanted["tool"],
    )


def _table(module: AnsibleModule) -> alembic_runner.Table:
    wanted = module.params["alembic"]
    if not wanted:
        return alembic_runner.Table()
    if not wanted["version_table"]:
        raise ParityError(
            "env.py takes version_table or version_table_schema from what its file does not show, and Alembic renders nothing here that "
            "would. Write the name as a literal, or let env.py run in offline mode."
        )
    return alembic_runner.Table(*wanted["version_table"])


def _command(module: AnsibleModule) -> alembic_runner.Command:
    def run(words: list[str], variables: dict[str, str], directory: str, text: str) -> tuple[int, str, str]:
        return module.run_command(words, environ_update=variables, cwd=directory, data=text)

    return run


def _check(module: AnsibleModule, work) -> dict:
    """Why the files cannot run, as sentences."""
    result = {"changed": False, "problems": [], "asked": True, "unverified": []}
    try:
        state = _ask(work)
        result["unverified"] = pending.unverified(work.local, state.history)
    except ParityError as error:
        state, result["asked"], result["reason"] = migration_runner.State({}, True), False, str(error)
    try:
        _plan(module, work, state)
    except ParityError as error:
        result["problems"] = error.details.get("problems", [str(error)])
    return result


def _ask(work) -> migration_runner.State:
    with closing(migration_runner.open_session(work.target, "parity migrations: plan")) as connection:
        return work.state(connection)


def _look(module: AnsibleModule, work) -> tuple:
    """The state of the database, the plan, and the applied files whose checksum is not recorded."""
    try:
        state = _ask(work)
    except ParityError as error:
        if not module.check_mode:
            raise
        module.warn(f"The dry run predicts that every migration runs, because the database cannot be read: {error}")
        state = migration_runner.State({}, True)
    return state, _plan(module, work, state), migration_runner.unrecorded(work.local, state.history, module.params["accept_edited"])


def _plan(module: AnsibleModule, work, state: migration_runner.State) -> pending.Plan:
    params = module.params
    todo = [migration for migration in work.local if migration.version not in state.history]
    fresh, later = state.fresh or params["fresh"], _is_rendered_later(module)
    if later and not fresh:
        for migration in (one for one in todo if one.undecided):
            tool = module.params["alembic"]["tool"].title()
            module.warn(
                f"{migration.file} cannot be judged from its file: {'; '.join(migration.reasons)}. Once the release is staged, {tool} "
                "renders it. What then takes something away, or still cannot be judged, needs the mark `# parity: destructive`."
            )
    if ahead := work.ahead(state):
        module.warn(
            f"The database has migrations that this release does not: {', '.join(ahead)}. They only added something when they were "
            "applied, so the release runs with them."
        )
    return pending.decide(
        todo, work.drift(state), fresh=fresh, allow_destructive=params["allow_destructive"], rendered_later=later
    )


def _is_rendered_later(module: AnsibleModule) -> bool:
    """Whether this is a dry run, and the release that Alembic renders is not on this host yet."""
    project = _project(module)
    predicts = module.check_mode or module.params["state"] == "checked"
    return predicts and project is not None and not project.there


def _chosen(module: AnsibleModule, plan: pending.Plan) -> list:
    """The files this call is about, in order."""
    params = module.params
    todo = plan.now if params["phase"] == "additive" else plan.now + plan.later
    if params["file"] is None:
        return todo
    known = {entry["file"] for entry in [*params["judged"], *params["plan"], *params["migrations"]]}
    if params["file"] not in known | {one.file for one in [*plan.now, *plan.later]} | {ONLY_CHECKSUMS}:
        raise ParityError(f"{params['file']} is none of the migrations of this release, so nothing was applied. Plan again.")
    chosen = [one for one in todo if one.file == params["file"]]
    # A dry run has only announced the files before it.
    if chosen and chosen != todo[:1] and not module.check_mode:
        raise ParityError(f"{params['file']} is not the next migration, {todo[0].file} is. Plan again and apply the steps in order.")
    return chosen


def _result(module: AnsibleModule, work, state: migration_runner.State, plan: pending.Plan, unrecorded: list) -> dict:
    params = module.params
    planned = params["state"] == "planned"
    chosen = _chosen(module, plan)
    checksums = bool(unrecorded) and params["file"] in (None, ONLY_CHECKSUMS)
    found = {name: [one for one in params["lint"] if one["file"] == name] for name in {one["file"] for one in params["lint"]}}
    after = "".join(migration.preview(found.get(migration.file, [])) for migration in chosen)
    if checksums:
        after = f"-- checksums of {len(unrecorded)} migrations that are applied already\n{after}"
    result = {
        "changed": not planned and bool(chosen or checksums),
        "pending": [migration.file for migration in chosen],
        "later": [migration.file for migration in plan.later],
        "fresh": state.fresh or params["fresh"],
        "ahead": work.ahead(state),
        "applied": sorted(state.history),
        "unverified": pending.unverified(work.local, state.history),
        "diff": {"before": "", "after": after, "after_header": "migrations to apply"},
    }
    if planned:
        result["steps"] = [ONLY_CHECKSUMS] * bool(unrecorded) + result["pending"]
        result["plan"] = [migration.describe() | {"lint": found.get(migration.file, [])} for migration in [*plan.now, *plan.later]]
        result["diff"] = {"before": "", "after": ""}  # each step shows its own
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "database_url": {"type": "str", "required": True, "no_log": True},
            "migrations": {"type": "list", "elements": "dict", "default": [], "options": pending.FILE},
            "directory": {"type": "path"},
            "judged": {"type": "list", "elements": "dict", "default": []},
            "plan": {"type": "list", "elements": "dict", "default": []},
            "state": {"type": "str", "choices": ["planned", "applied", "checked", "rendered"], "default": "applied"},
            "phase": {"type": "str", "choices": ["additive", "destructive"], "default": "additive"},
            "file": {"type": "str"},
            "fresh": {"type": "bool", "default": False},
            "allow_destructive": {"type": "bool", "default": False},
            "accept_edited": {"type": "list", "elements": "str", "default": []},
            "alembic": {
                "type": "dict",
                "options": {
                    "directory": {"type": "path", "required": True},
                    "python": {"type": "path", "required": True},
                    "user": {"type": "str", "default": ""},
                    "variable": {"type": "str", "default": "DATABASE_URL"},
                    "environment": {"type": "dict", "default": {}},
                    "secrets": {"type": "dict", "default": {}, "no_log": True},
                    "tool": {"type": "str", "choices": ["alembic", "django"], "default": "alembic"},
                    "settings": {"type": "dict", "default": {}},
                    "version_table": {"type": "list", "elements": "str", "default": ["alembic_version", ""]},
                },
            },
            "stack": {"type": "str", "default": ""},
            "run": {"type": "str", "default": ""},
            "lint": {"type": "list", "elements": "dict", "default": []},
            "lock_timeout": {"type": "str", "default": "2s"},
            "lock_retries": {"type": "int", "default": 30},
            "statement_timeout": {"type": "str", "default": "15min"},
            "wait_seconds": {"type": "int", "default": 600},
        },
        supports_check_mode=True,
    )
    answer(module, migrate)


if __name__ == "__main__":
    main()

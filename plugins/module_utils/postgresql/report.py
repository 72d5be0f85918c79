# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Report on the inside of a database: its replicas, what it waits for, and which indexes, tables and sequences need a person."""

from __future__ import annotations

MIB = 1024 * 1024
#: Smaller ones do no harm.
SMALLEST_INDEX, SMALLEST_TABLE, FEWEST_ROWS = MIB, 8 * MIB, 1000
DEAD_SHARE, BLOAT_SHARE, SEQUENCE_SHARE, CONNECTIONS_SHARE, WRAPAROUND_SHARE = 0.2, 0.4, 0.75, 0.8, 0.5
OLD_TRANSACTION, BEHIND = 300, 60
MOST = 5

#: The values for the queries.
LIMITS = {
    "smallest_index": SMALLEST_INDEX, "smallest_table": SMALLEST_TABLE, "fewest_rows": FEWEST_ROWS, "dead_share": DEAD_SHARE,
    "bloat_share": BLOAT_SHARE, "sequence_share": SEQUENCE_SHARE,
}  # fmt: skip
#: Name of the fact, its query. All of them only read, as a role that may read statistics and no table.
QUERIES = {
    "server": """
        select pg_is_in_recovery() as replica, pg_database_size(current_database())::float8 as size,
        (select count(*) from pg_stat_activity where backend_type = 'client backend') as connections,
        current_setting('max_connections')::int as limit,
        (select age(datfrozenxid) from pg_database where datname = current_database()) as transactions,
        to_char(coalesce((select stats_reset from pg_stat_database where datname = current_database()), pg_postmaster_start_time())
        at time zone 'UTC', 'YYYY-MM-DD') as counted_since,
        exists (select from pg_stat_wal_receiver where status = 'streaming') as receiving,
        case when not pg_is_in_recovery() or pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() then 0
        else coalesce(extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()), 0) end::float8 as behind""",
    "followers": """
        select s.slot_name as name, s.active as connected, coalesce(extract(epoch from r.replay_lag), 0)::float8 as behind,
        coalesce(pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end,
        s.restart_lsn), 0)::float8 as kept
        from pg_replication_slots s left join pg_stat_replication r on r.pid = s.active_pid
        where s.slot_type = 'physical' and not s.temporary order by 1""",
    "transaction": """
        select coalesce(usename, 'nobody') as user, coalesce(nullif(application_name, ''), 'no name') as application, pid, state,
        extract(epoch from clock_timestamp() - xact_start)::float8 as age
        from pg_stat_activity where backend_type = 'client backend' and xact_start is not null and pid <> pg_backend_pid()
        order by xact_start limit 1""",
    "waiting": """
        select l.pid, max(extract(epoch from clock_timestamp() - l.waitstart))::float8 as waits, pg_blocking_pids(l.pid) as blocked_by
        from pg_locks l where not l.granted group by l.pid order by 2 desc nulls last limit 1""",
    "unused": """
        select s.schemaname || '.' || s.indexrelname as name, s.schemaname || '.' || s.relname as table,
        pg_relation_size(s.indexrelid)::float8 as size
        from pg_stat_user_indexes s join pg_index i on i.indexrelid = s.indexrelid
        where s.idx_scan = 0 and not i.indisunique and i.indisvalid and pg_relation_size(s.indexrelid) >= %(smallest_index)s
        and not exists (select from pg_constraint c where c.conindid = s.indexrelid) order by 3 desc""",
    "invalid": """
        select n.nspname || '.' || c.relname as name from pg_index i join pg_class c on c.oid = i.indexrelid
        join pg_namespace n on n.oid = c.relnamespace where not i.indisvalid order by 1""",
    "unindexed": """
        select n.nspname || '.' || t.relname as table, c.conname as name, greatest(t.reltuples, 0)::float8 as rows,
        (select string_agg(a.attname, ', ' order by k.place) from unnest(c.conkey) with ordinality as k(number, place)
        join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.number) as columns
        from pg_constraint c join pg_class t on t.oid = c.conrelid join pg_namespace n on n.oid = t.relnamespace
        where c.contype = 'f' and t.reltuples >= %(fewest_rows)s and not exists (
        select from pg_index i where i.indrelid = c.conrelid and i.indisvalid and i.indpred is null
        and (string_to_array(i.indkey::text, ' ')::int2[])[1:cardinality(c.conkey)] @> c.conkey) order by 3 desc""",
    "dead": """
        select schemaname || '.' || relname as table, n_dead_tup::float8 as dead, n_live_tup::float8 as live,
        coalesce(to_char(greatest(last_vacuum, last_autovacuum) at time zone 'UTC', 'YYYY-MM-DD HH24:MI'), 'never') as cleaned
        from pg_stat_user_tables where n_dead_tup >= %(fewest_rows)s
        and n_dead_tup > %(dead_share)s * (n_live_tup + n_dead_tup) order by 2 desc""",
    "sequences": """
        select schemaname || '.' || sequencename as name, last_value::float8 as value, max_value::float8 as most
        from pg_sequences where not cycle and increment_by > 0
        and last_value::float8 > %(sequence_share)s * max_value order by 2 / 3 desc""",
}
#: Queries for databases that have the extension.
EXTRA = {
    "pgstattuple": (
        "bloat",
        """
        select n.nspname || '.' || c.relname as table, pg_relation_size(c.oid)::float8 as size,
        ((b.approx_free_percent + b.dead_tuple_percent) / 100)::float8 as share
        from (select oid, relname, relnamespace from pg_class where relkind = 'r' and relpersistence = 'p'
        and pg_relation_size(oid) >= %(smallest_table)s order by pg_relation_size(oid) desc limit 10) as c
        join pg_namespace n on n.oid = c.relnamespace, lateral pgstattuple_approx(c.oid) as b
        where n.nspname not in ('pg_catalog', 'information_schema')
        and b.approx_free_percent + b.dead_tuple_percent > %(bloat_share)s * 100 order by 2 desc""",
    ),
    "pg_stat_statements": (
        "statements",
        """
        select s.queryid::text as number, r.rolname as role, sum(s.calls)::float8 as calls,
        (sum(s.total_exec_time) / sum(s.calls) / 1000)::float8 as mean, left(regexp_replace(min(s.query), '\\s+', ' ', 'g'), 100) as text
        from pg_stat_statements s join pg_roles r on r.oid = s.userid join pg_database d on d.oid = s.dbid
        where d.datname = current_database() and s.calls > 0 and s.query ~* '^\\s*(select|insert|update|delete|with)\\M'
        and r.rolname <> current_user group by 1, 2 having sum(s.total_exec_time) / sum(s.calls) > 1000 order by 4 desc limit 3""",
    ),
}


def lines(database: str, facts: dict[str, list[dict]]) -> list[str]:
    """What a person has to know, one line each: the state first, then the findings, or a sentence where there is nothing to do."""
    server = facts["server"][0]
    kind = "replica" if server["replica"] else "primary"
    head = f"database {database}, {kind}, {_size(server['size'])}, {server['connections']} of {server['limit']} connections"
    found = [*_server(server), *_activity(facts), *_followers(facts)]
    found += _findings(facts, server["counted_since"])
    return [head, *(_connected(facts)), *(found or ["its indexes, tables and sequences need no repair"])]


def _server(server: dict) -> list[str]:
    found = []
    if server["replica"] and not server["receiving"]:
        found.append("gets nothing from its primary. Check its log, and that the primary runs")
    if server["replica"] and server["behind"] > BEHIND:
        found.append(f"is {server['behind']:.0f} s behind its primary")
    if server["connections"] > CONNECTIONS_SHARE * server["limit"]:
        found.append("has almost no connection left: put the application behind the pooler, or raise max_connections")
    if server["transactions"] > WRAPAROUND_SHARE * 2**31:
        found.append(
            f"has a transaction number that is {server['transactions']} behind: autovacuum does not keep up, and at two thousand million "
            "the server stops"
        )
    return found


def _activity(facts: dict[str, list[dict]]) -> list[str]:
    found = []
    for one in facts.get("transaction", []):
        if one["age"] > OLD_TRANSACTION:
            found.append(
                f"a transaction is {one['age'] / 60:.0f} minutes old: {one['user']}, {one['application']}, {one['state']}, process "
                f"{one['pid']}. Nothing deleted since can be cleaned up"
            )
    for one in facts.get("waiting", []):
        if one["waits"] and one["waits"] > 1:
            blockers = ", ".join(str(number) for number in one["blocked_by"]) or "nobody"
            found.append(f"process {one['pid']} has waited {one['waits']:.0f} s for a lock, because of process {blockers}")
    return found


def _connected(facts: dict[str, list[dict]]) -> list[str]:
    return [
        f"replica {one['name']} is connected, {one['behind']:.1f} s and {_size(one['kept'])} behind"
        for one in facts.get("followers", [])
        if one["connected"]
    ]


def _followers(facts: dict[str, list[dict]]) -> list[str]:
    return [
        f"replica {one['name']} is away, and {_size(one['kept'])} of log are kept for it"
        for one in facts.get("followers", [])
        if not one["connected"]
    ]


def _findings(facts: dict[str, list[dict]], since: str) -> list[str]:
    """The worst findings of each kind, and how many more there are."""
    sentences = {
        "invalid": "index {name} is not valid, most likely left by a migration: drop it and make it again",
        "unindexed": "foreign key {name} of {table} ({columns}; {rows:.0f} rows) has no index: a delete in the table it points to reads "
        "the whole table",
        "unused": "index {name} of {table} ({mib:.0f} MiB) was not used since {since}, on this server",
        "dead": "table {table} has {dead:.0f} dead rows beside {live:.0f}, cleaned last: {cleaned}",
        "bloat": "table {table} ({mib:.0f} MiB) is {share:.0%} empty: free the space with pg_repack or VACUUM FULL",
        "sequences": "sequence {name} is at {used:.0%} of what it can count: make it and its column bigint",
        "statements": "statement {number} of {role} takes {mean:.1f} s, {calls:.0f} times until now: {text}",
    }
    found = []
    for kind, sentence in sentences.items():
        rows = facts.get(kind, [])
        for one in rows[:MOST]:
            more = {"since": since, "mib": one.get("size", 0) / MIB, "used": one.get("value", 0) / one.get("most", 1)}
            found.append(sentence.format(**one, **more))
        if len(rows) > MOST:
            found.append(f"{len(rows) - MOST} more of that kind")
    found += [f"a query failed ({one['kind']}): {one['reason']}" for one in facts.get("missed", [])]
    return found


def _size(count: float) -> str:
    return f"{count / MIB:.0f} MiB" if count >= MIB else f"{count / 1024:.0f} KiB"

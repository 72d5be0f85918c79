-- SPDX-License-Identifier: GPL-3.0-or-later
-- Who did what, when, in which request. Holds no content, and survives the documents it speaks of:
-- therefore no foreign key.

CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    action text NOT NULL,
    document_id uuid,
    request_id text NOT NULL
);

CREATE INDEX audit_log_by_actor ON audit_log (actor, at);

CREATE FUNCTION audit_log_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log only grows: % is refused', TG_OP;
END;
$$;

CREATE TRIGGER audit_log_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse_change();

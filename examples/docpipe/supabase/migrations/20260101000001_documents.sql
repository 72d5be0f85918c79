-- SPDX-License-Identifier: GPL-3.0-or-later
-- Documents, what the pipeline makes of them, and every state they went through.
-- No GRANT here: the tool that applies this file decides which role the application connects as.

CREATE TABLE documents (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    owner text NOT NULL,
    filename text NOT NULL,
    content_type text NOT NULL,
    size_bytes bigint NOT NULL,
    sha256 text NOT NULL,
    object_key text NOT NULL UNIQUE,
    state text NOT NULL,
    reason text,
    pages bigint,
    attempt bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT documents_state_known CHECK (
        state IN (
            'uploaded', 'parsing', 'parsed', 'chunking', 'chunked', 'embedding', 'embedded', 'complete', 'failed'
        )
    ),
    CONSTRAINT documents_failed_has_reason CHECK ((state = 'failed') = (reason IS NOT NULL))
);

CREATE INDEX documents_by_owner ON documents (owner, created_at DESC);

-- For the sweep: only the few documents that are still under way are in this index.
CREATE INDEX documents_unfinished ON documents (updated_at) WHERE state NOT IN ('complete', 'failed');

-- A document enters each state at most once; the key makes sure that it is recorded at most once too.
CREATE TABLE transitions (
    document_id uuid NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    from_state text,
    to_state text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempt bigint NOT NULL,
    detail text,
    release text NOT NULL,
    PRIMARY KEY (document_id, to_state)
);

CREATE TABLE pages (
    document_id uuid NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    page_number bigint NOT NULL,
    content text NOT NULL,
    PRIMARY KEY (document_id, page_number)
);

CREATE TABLE chunks (
    document_id uuid NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    chunk_index bigint NOT NULL,
    page_number bigint NOT NULL,
    content text NOT NULL,
    embedding real[],
    PRIMARY KEY (document_id, chunk_index)
);

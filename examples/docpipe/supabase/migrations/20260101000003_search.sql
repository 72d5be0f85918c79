-- SPDX-License-Identifier: GPL-3.0-or-later
-- Similarity search without an extension, so that it runs on any PostgreSQL.

-- NULL for vectors of different length (another embedding model) and for a vector of zeros (a text without words).
CREATE FUNCTION cosine_similarity(a real[], b real[]) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN cardinality(a) = cardinality(b) THEN
        (
            SELECT sum(x::float8 * y) / nullif(sqrt(sum(x::float8 * x)) * sqrt(sum(y::float8 * y)), 0)
            FROM unnest(a, b) AS pair (x, y)
        )
    END
$$;

CREATE FUNCTION search_chunks(searched_by text, query real[], max_results bigint)
RETURNS TABLE (document_id uuid, chunk_index bigint, page_number bigint, content text, similarity double precision)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT scored.document_id, scored.chunk_index, scored.page_number, scored.content, scored.similarity
    FROM (
        SELECT c.document_id, c.chunk_index, c.page_number, c.content,
               cosine_similarity(c.embedding, query) AS similarity
        FROM chunks AS c
        JOIN documents AS d ON d.id = c.document_id
        WHERE d.owner = searched_by
    ) AS scored
    WHERE scored.similarity IS NOT NULL
    ORDER BY scored.similarity DESC, scored.document_id, scored.chunk_index
    LIMIT max_results
$$;

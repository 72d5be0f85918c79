-- SPDX-License-Identifier: GPL-3.0-or-later
-- Fault "bad-migration": the first statement works, the second fails. Whoever applies this file in one transaction,
-- as it should, leaves no trace of the first.
ALTER TABLE documents ADD COLUMN left_by_a_bad_migration text;
SELECT 1 / 0;

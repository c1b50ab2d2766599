-- What our tables are made of, a line each. Other programs' indexes and columns on the core's table
-- are their own.
WITH ours AS (
	SELECT c.oid, c.relname FROM pg_class c
	WHERE c.oid IN (to_regclass('action_executions'), to_regclass('actionctl_states'),
		to_regclass('actionctl_approvals'), to_regclass('actionctl_events'),
		to_regclass('actionctl_journal'))
)
SELECT line FROM (
	SELECT format('column %s.%s %s%s', o.relname, a.attname, format_type(a.atttypid, a.atttypmod),
		CASE WHEN a.attnotnull THEN ' not null' ELSE '' END) AS line
	FROM ours o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
	UNION ALL
	SELECT format('trigger %s on %s %s %s: %s', t.tgname, o.relname, t.tgtype, t.tgenabled, p.prosrc)
	FROM ours o JOIN pg_trigger t ON t.tgrelid = o.oid AND NOT t.tgisinternal
		JOIN pg_proc p ON p.oid = t.tgfoid
	UNION ALL
	SELECT format('rule %s on %s', r.rulename, o.relname)
	FROM ours o JOIN pg_rewrite r ON r.ev_class = o.oid
	UNION ALL
	SELECT format('policy for rows of %s', o.relname)
	FROM ours o JOIN pg_class c ON c.oid = o.oid AND (c.relrowsecurity OR c.relkind <> 'r')
	UNION ALL
	SELECT format('constraint of %s: %s', o.relname, pg_get_constraintdef(k.oid))
	FROM ours o JOIN pg_constraint k ON k.conrelid = o.oid AND k.contype IN ('p', 'u', 'c', 'f')
	UNION ALL
	SELECT format('index %s on %s', x.relname, o.relname)
	FROM ours o JOIN pg_index i ON i.indrelid = o.oid AND i.indisvalid
		JOIN pg_class x ON x.oid = i.indexrelid AND NOT i.indisprimary
		AND (x.relname LIKE 'actionctl\_%' OR o.relname <> 'action_executions')
	UNION ALL
	SELECT format('relation %s', c.relname)
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname = current_schema() AND lower(c.relname) LIKE 'actionctl\_%'
		AND c.relkind NOT IN ('i', 'S') AND c.oid NOT IN (SELECT oid FROM ours)
) AS lines ORDER BY line COLLATE "C"

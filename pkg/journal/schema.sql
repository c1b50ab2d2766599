-- The core's table, column for column. All else has names that no core uses, so that a core which opens
-- the file can add its own tables.
CREATE TABLE action_executions (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	idempotency_key TEXT NOT NULL UNIQUE,
	source TEXT NOT NULL,
	provider TEXT NOT NULL,
	provider_ref TEXT NOT NULL,
	action TEXT NOT NULL,
	target_json TEXT NOT NULL,
	parameters_json TEXT NOT NULL,
	undo_json TEXT NOT NULL,
	risk_level TEXT NOT NULL,
	status TEXT NOT NULL,
	approved_by TEXT NOT NULL,
	approved_at TEXT NOT NULL,
	executed_at TEXT NOT NULL,
	result_message TEXT NOT NULL,
	error TEXT NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	observed_json TEXT NOT NULL
);
CREATE INDEX actionctl_actions_by_status ON action_executions (status, id);
CREATE INDEX actionctl_actions_by_verb ON action_executions (status, action);

-- What the gate keeps of an action besides.
CREATE TABLE actionctl_states (
	action_id INTEGER PRIMARY KEY REFERENCES action_executions (id),
	name TEXT NOT NULL,
	description TEXT NOT NULL,
	mode TEXT NOT NULL,
	digest TEXT NOT NULL,
	imported_at TEXT NOT NULL,
	revision INTEGER NOT NULL,
	claim_purpose TEXT NOT NULL,
	claim_by TEXT NOT NULL,
	claim_at TEXT NOT NULL,
	claim_until TEXT NOT NULL,
	claim_from TEXT NOT NULL,
	may_have_changed INTEGER NOT NULL,
	claim_process TEXT NOT NULL,
	selected TEXT NOT NULL
);

CREATE TABLE actionctl_approvals (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	action_id INTEGER NOT NULL REFERENCES action_executions (id),
	approved_by TEXT NOT NULL,
	approved_at TEXT NOT NULL,
	digest TEXT NOT NULL
);
CREATE INDEX actionctl_approvals_by_action ON actionctl_approvals (action_id, id);

CREATE TABLE actionctl_events (
	seq INTEGER PRIMARY KEY,
	at TEXT NOT NULL,
	kind TEXT NOT NULL,
	action_id INTEGER NOT NULL,
	idempotency_key TEXT NOT NULL,
	actor TEXT NOT NULL,
	data_json TEXT NOT NULL,
	prev_hash TEXT NOT NULL,
	hash TEXT NOT NULL
);
CREATE INDEX actionctl_events_by_action ON actionctl_events (action_id, seq);
CREATE TRIGGER actionctl_events_are_not_changed BEFORE UPDATE ON actionctl_events BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;
CREATE TRIGGER actionctl_events_are_not_deleted BEFORE DELETE ON actionctl_events BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;

-- The version of these tables, which no other program counts on; the journal's own id, which the first
-- event's prev_hash is, too; and the last event, so that one taken off the end is missed.
CREATE TABLE actionctl_journal (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	version INTEGER NOT NULL,
	id TEXT NOT NULL,
	seq INTEGER NOT NULL,
	hash TEXT NOT NULL
);

-- What version 2 had otherwise: other names, and no version in a table.
DROP INDEX actionctl_actions_by_status;
DROP INDEX actionctl_actions_by_verb;
CREATE INDEX action_executions_by_status ON action_executions (status, id);
CREATE TABLE action_state (
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
	may_have_changed INTEGER NOT NULL
);
INSERT INTO action_state SELECT action_id, name, description, mode, digest, imported_at, revision, claim_purpose, claim_by, claim_at, claim_until, claim_from, may_have_changed FROM actionctl_states;
DROP TABLE actionctl_states;
CREATE TABLE approvals (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	action_id INTEGER NOT NULL REFERENCES action_executions (id),
	approved_by TEXT NOT NULL,
	approved_at TEXT NOT NULL,
	digest TEXT NOT NULL
);
CREATE INDEX approvals_by_action ON approvals (action_id, id);
INSERT INTO approvals SELECT * FROM actionctl_approvals;
DROP TABLE actionctl_approvals;
CREATE TABLE events (
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
INSERT INTO events SELECT * FROM actionctl_events;
CREATE INDEX events_by_action ON events (action_id, seq);
CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;
CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;
DROP TABLE actionctl_events;
CREATE TABLE journal_head (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	seq INTEGER NOT NULL,
	hash TEXT NOT NULL
);
INSERT INTO journal_head SELECT one, seq, hash FROM actionctl_journal;
DROP TABLE actionctl_journal;
PRAGMA user_version = 2;

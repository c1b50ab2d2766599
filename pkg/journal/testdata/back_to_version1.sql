-- What version 1 had otherwise than version 2.
ALTER TABLE action_state RENAME TO later;
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
	claim_from TEXT NOT NULL
);
INSERT INTO action_state SELECT action_id, name, description, mode, digest, imported_at, revision, claim_purpose, claim_by, claim_at, claim_until, claim_from FROM later;
DROP TABLE later;
DROP INDEX events_by_action;
CREATE INDEX events_by_action ON events (action_id, kind, seq);
PRAGMA user_version = 1;

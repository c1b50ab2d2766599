-- The calls of the service that changed something. Nobody changes or deletes one: see appendOnly.
CREATE TABLE node_audit (
	seq SERIAL_KEY,
	happened_at INTEGER NOT NULL,
	caller TEXT NOT NULL,
	call TEXT NOT NULL,
	asked TEXT NOT NULL,
	nodes INTEGER NOT NULL,
	node_ids TEXT NOT NULL
);

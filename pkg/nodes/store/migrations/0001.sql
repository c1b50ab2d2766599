-- Each statement stands alone, and is written for both engines: see dialect.go for the words that
-- differ. Texts are compared byte by byte. Times are nanoseconds since 1970, 0 for never.

-- What filters and orders look at. One writer makes these columns from the document, so that the two
-- do not differ.
CREATE TABLE nodes (
	seq SERIAL_KEY,
	id TEXT NOT NULL UNIQUE,
	type TEXT NOT NULL,
	name TEXT NOT NULL,
	source_id TEXT NOT NULL,
	region TEXT NOT NULL,
	account_id TEXT NOT NULL,
	platform TEXT NOT NULL,
	platform_release TEXT NOT NULL,
	instance_type TEXT NOT NULL,
	zone TEXT NOT NULL,
	image_id TEXT NOT NULL,
	vpc_id TEXT NOT NULL,
	state TEXT NOT NULL,
	status TEXT NOT NULL,
	managed TEXT NOT NULL,
	managers TEXT NOT NULL,
	run_status TEXT NOT NULL,
	run_before TEXT NOT NULL,
	scan_status TEXT NOT NULL,
	scan_before TEXT NOT NULL,
	state_since INTEGER NOT NULL,
	added_at INTEGER NOT NULL,
	seen_at INTEGER NOT NULL,
	last_contact INTEGER NOT NULL,
	last_probe INTEGER NOT NULL,
	launch_time INTEGER NOT NULL,
	run_at INTEGER NOT NULL,
	scan_at INTEGER NOT NULL
);

-- One index for each order in which nodes are listed.
CREATE INDEX nodes_by_name ON nodes (name, id);
CREATE INDEX nodes_by_type ON nodes (type, id);
CREATE INDEX nodes_by_region ON nodes (region, id);
CREATE INDEX nodes_by_account ON nodes (account_id, id);
CREATE INDEX nodes_by_place ON nodes (account_id, region);
CREATE INDEX nodes_by_platform ON nodes (platform, id);
CREATE INDEX nodes_by_state ON nodes (state, id);
CREATE INDEX nodes_by_status ON nodes (status, id);
CREATE INDEX nodes_by_managers ON nodes (managers, id);
CREATE INDEX nodes_by_source ON nodes (source_id, id);
CREATE INDEX nodes_by_since ON nodes (state_since, id);
CREATE INDEX nodes_by_added ON nodes (added_at, id);
CREATE INDEX nodes_by_contact ON nodes (last_contact, id);

-- The whole of a node, as JSON. It is apart, so that a search reads short rows.
CREATE TABLE node_documents (
	node INTEGER PRIMARY KEY REFERENCES nodes (seq) ON DELETE CASCADE,
	document TEXT NOT NULL
);

-- What a node has several values of: its managers, projects, addresses, interfaces, subnets, and
-- each tag under tag:KEY.
CREATE TABLE node_values (
	field TEXT NOT NULL,
	value TEXT NOT NULL,
	node INTEGER NOT NULL REFERENCES nodes (seq) ON DELETE CASCADE,
	PRIMARY KEY (field, value, node)
) WITHOUT_ROWID;
CREATE INDEX node_values_by_node ON node_values (node, field);

-- Of the values that many nodes have: who has each, as numbers in chunks of 65,536. It is made from
-- the documents like the columns, by the same writer.
CREATE TABLE node_sets (
	field TEXT NOT NULL,
	value TEXT NOT NULL,
	chunk INTEGER NOT NULL,
	members BLOB NOT NULL,
	PRIMARY KEY (field, value, chunk)
) WITHOUT_ROWID;

-- All that tells a node from others; each leads to one node.
CREATE TABLE node_identities (
	identity TEXT PRIMARY KEY,
	node INTEGER NOT NULL REFERENCES nodes (seq) ON DELETE CASCADE
);
CREATE INDEX node_identities_by_node ON node_identities (node);

CREATE TABLE node_changes (
	seq SERIAL_KEY,
	node INTEGER NOT NULL REFERENCES nodes (seq) ON DELETE CASCADE,
	happened_at INTEGER NOT NULL,
	recorded_at INTEGER NOT NULL,
	field TEXT NOT NULL,
	was TEXT NOT NULL,
	became TEXT NOT NULL,
	evidence TEXT NOT NULL
);
CREATE INDEX node_changes_by_node ON node_changes (node, seq);
CREATE INDEX node_changes_by_time ON node_changes (recorded_at);

CREATE TABLE node_managers (
	id TEXT PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	added_at INTEGER NOT NULL,
	revision INTEGER NOT NULL,
	document TEXT NOT NULL
);

CREATE TABLE node_regions (
	manager TEXT NOT NULL REFERENCES node_managers (id) ON DELETE CASCADE,
	account TEXT NOT NULL,
	region TEXT NOT NULL,
	document TEXT NOT NULL,
	PRIMARY KEY (manager, account, region)
);

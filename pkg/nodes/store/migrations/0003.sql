-- Calls that were refused are in the audit log too, and old entries may go: see mayPrune.
ALTER TABLE node_audit ADD COLUMN refused TEXT NOT NULL DEFAULT '';
-- How long entries are kept and how many, 0 for all; and up to which number they may be deleted.
ALTER TABLE node_store ADD COLUMN keep_audit BIGINT NOT NULL DEFAULT 0;
ALTER TABLE node_store ADD COLUMN most_audit BIGINT NOT NULL DEFAULT 0;
ALTER TABLE node_store ADD COLUMN audit_pruned BIGINT NOT NULL DEFAULT 0;

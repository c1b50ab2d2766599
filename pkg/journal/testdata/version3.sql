-- A journal that a program of version 3 wrote: import, dry-run, approval, execution, rollback.
PRAGMA foreign_keys = 0;
PRAGMA application_id = 1094931527;
PRAGMA user_version = 3;
BEGIN TRANSACTION;
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
INSERT INTO "action_executions" VALUES(1,'mobility-7/assign','examples/gate/plans.yaml','aws','lab-aws','assign-secondary-ip','{"address":"10.88.60.9/32","nicRef":"eni-01088600000000011","region":"ap-northeast-1"}','{}','{"action":"unassign-secondary-ip"}','medium','rolledBack','Änn','2026-11-28T22:32:26.936277206Z','2026-11-28T22:32:26.950344875Z','rolled back: unassigned 10.88.60.9 from eni-01088600000000011','','2026-11-28T22:32:26.758523199Z','2026-11-28T22:32:27.067167290Z','{"assignedAddress":"10.88.60.9","changed":"true","currentSecondaryIps":"10.88.60.9","priorAssigned":"false"}');
INSERT INTO "action_executions" VALUES(2,'mobility-7/forward','examples/gate/plans.yaml','aws','lab-aws','ensure-forwarding-enabled','{"address":"10.88.60.9/32","nicRef":"eni-01088600000000011","region":"ap-northeast-1"}','{}','{"action":"ensure-forwarding-disabled"}','low','succeeded','Änn','2026-11-28T22:32:26.939433950Z','2026-11-28T22:32:26.969739482Z','enabled forwarding on eni-01088600000000011','','2026-11-28T22:32:26.817554251Z','2026-11-28T22:32:26.987606237Z','{"changed":"true","priorSourceDestCheck":"true","sourceDestCheck":"false"}');
CREATE TABLE actionctl_approvals (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	action_id INTEGER NOT NULL REFERENCES action_executions (id),
	approved_by TEXT NOT NULL,
	approved_at TEXT NOT NULL,
	digest TEXT NOT NULL
);
INSERT INTO "actionctl_approvals" VALUES(1,1,'Änn','2026-11-28T22:32:26.936277206Z','sha256:792d3888192c919d39bff692982f3efad6c8b887cedf891d4985615c76d4b6a6');
INSERT INTO "actionctl_approvals" VALUES(2,2,'Änn','2026-11-28T22:32:26.939433950Z','sha256:5bcab6f0a1694c7feacb1b72088de2c6dcc647280aa99f063c39c3940e42585c');
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
INSERT INTO "actionctl_events" VALUES(1,'2026-11-28T22:32:26.758523199Z','imported',1,'mobility-7/assign','tester','{"action":"assign-secondary-ip","description":"router-a takes the address over","digest":"sha256:792d3888192c919d39bff692982f3efad6c8b887cedf891d4985615c76d4b6a6","name":"capture 10.88.60.9","riskLevel":"medium","row":"c82bb2343c85396c9b3fde76c5c92b744bbb781fb33e83918a90f76b8c5897ef","source":"examples/gate/plans.yaml","target":{"address":"10.88.60.9/32","nicRef":"eni-01088600000000011","region":"ap-northeast-1"}}','','debdc7dc8979be256f8e6a331a0f21970ff4cbda3668679ff7f5b75cfd95dbc4');
INSERT INTO "actionctl_events" VALUES(2,'2026-11-28T22:32:26.817554251Z','imported',2,'mobility-7/forward','tester','{"action":"ensure-forwarding-enabled","digest":"sha256:5bcab6f0a1694c7feacb1b72088de2c6dcc647280aa99f063c39c3940e42585c","name":"forward for 10.88.60.9","riskLevel":"low","row":"05795e88a0c66b08346fe28e6d49581309b18535ad433653ac7e6c93fcb36725","source":"examples/gate/plans.yaml","target":{"address":"10.88.60.9/32","nicRef":"eni-01088600000000011","region":"ap-northeast-1"}}','debdc7dc8979be256f8e6a331a0f21970ff4cbda3668679ff7f5b75cfd95dbc4','d7ceba7bdf0d1db8ae90e7f6d1a4faa5f93df1b048fd6fba354a70708a83d87b');
INSERT INTO "actionctl_events" VALUES(3,'2026-11-28T22:32:26.891344013Z','dry-run',1,'mobility-7/assign','tester','{"digest":"sha256:792d3888192c919d39bff692982f3efad6c8b887cedf891d4985615c76d4b6a6","message":"would assign 10.88.60.9 to eni-01088600000000011","mode":"dry-run","observed":{"priorAssigned":"false"},"status":"succeeded"}','d7ceba7bdf0d1db8ae90e7f6d1a4faa5f93df1b048fd6fba354a70708a83d87b','10cbc47affeacf4198e27057df7973cd5c0dc0350200c72e42d8022f14d4af1b');
INSERT INTO "actionctl_events" VALUES(4,'2026-11-28T22:32:26.919148442Z','dry-run',2,'mobility-7/forward','tester','{"digest":"sha256:5bcab6f0a1694c7feacb1b72088de2c6dcc647280aa99f063c39c3940e42585c","message":"would enable forwarding on eni-01088600000000011","mode":"dry-run","observed":{"priorSourceDestCheck":"true","sourceDestCheck":"true"},"status":"succeeded"}','10cbc47affeacf4198e27057df7973cd5c0dc0350200c72e42d8022f14d4af1b','4ff253a88453f52772aa21c6baf644141d708b30257acde9cb6f9fd47a8b7c13');
INSERT INTO "actionctl_events" VALUES(5,'2026-11-28T22:32:26.936277206Z','approved',1,'mobility-7/assign','tester','{"by":"Änn","digest":"sha256:792d3888192c919d39bff692982f3efad6c8b887cedf891d4985615c76d4b6a6","row":"fc1d8c4e2f527d84f1607edd251ddc57f60415e2f81734a48b93a2041ca83d89","status":"approved"}','4ff253a88453f52772aa21c6baf644141d708b30257acde9cb6f9fd47a8b7c13','e56ca27286f80904741e4fd3d9e64dade4901f39f50a2244d73ce24df2ace3e4');
INSERT INTO "actionctl_events" VALUES(6,'2026-11-28T22:32:26.939433950Z','approved',2,'mobility-7/forward','tester','{"by":"Änn","digest":"sha256:5bcab6f0a1694c7feacb1b72088de2c6dcc647280aa99f063c39c3940e42585c","row":"1126f2efab3d652344b95ff09ed9f2d45b90d5309bd26fc61b64836ddaaafa12","status":"approved"}','e56ca27286f80904741e4fd3d9e64dade4901f39f50a2244d73ce24df2ace3e4','f6e03910aaa44116bcf99639e5602c0647edecf6ed7b2d8c0218e01fda1586a2');
INSERT INTO "actionctl_events" VALUES(7,'2026-11-28T22:32:26.950345435Z','claimed',1,'mobility-7/assign','tester','{"claimant":"vm, process 22304","digest":"sha256:792d3888192c919d39bff692982f3efad6c8b887cedf891d4985615c76d4b6a6","from":"approved","policy":"lab","row":"c5e4566494ee856ee1c23da9769f9041af6da3b90d860caac4eb2231e39dd060"}','f6e03910aaa44116bcf99639e5602c0647edecf6ed7b2d8c0218e01fda1586a2','2c7674db6142fb5a687ceaa87d6364a1e5644a007252888fdd58a8490bb4c773');
INSERT INTO "actionctl_events" VALUES(8,'2026-11-28T22:32:26.967274338Z','result',1,'mobility-7/assign','tester','{"became":"succeeded","digest":"sha256:792d3888192c919d39bff692982f3efad6c8b887cedf891d4985615c76d4b6a6","message":"assigned 10.88.60.9 to eni-01088600000000011","mode":"execute","observed":{"assignedAddress":"10.88.60.9","changed":"true","currentSecondaryIps":"10.88.60.9","priorAssigned":"false"},"row":"b3d4e5e1a4d8d1a0286fcde72c4ff4b394465f977483d6076e7ede5097c514b3","status":"succeeded"}','2c7674db6142fb5a687ceaa87d6364a1e5644a007252888fdd58a8490bb4c773','1929ca5ff9bc18259092051c3bf13855520bd6a3cfc0b1fdbfabd2feff641696');
INSERT INTO "actionctl_events" VALUES(9,'2026-11-28T22:32:26.969739984Z','claimed',2,'mobility-7/forward','tester','{"claimant":"vm, process 22304","digest":"sha256:5bcab6f0a1694c7feacb1b72088de2c6dcc647280aa99f063c39c3940e42585c","from":"approved","policy":"lab","row":"9b8bf47539a6df74f5b4f400bd84354d095d5eb1db4ed9e1b3a2eee5bc97d2f4"}','1929ca5ff9bc18259092051c3bf13855520bd6a3cfc0b1fdbfabd2feff641696','105617dbe133081c07f1017636272554fd858bac6d6a8418882de35470ce74ff');
INSERT INTO "actionctl_events" VALUES(10,'2026-11-28T22:32:26.987606237Z','result',2,'mobility-7/forward','tester','{"became":"succeeded","digest":"sha256:5bcab6f0a1694c7feacb1b72088de2c6dcc647280aa99f063c39c3940e42585c","message":"enabled forwarding on eni-01088600000000011","mode":"execute","observed":{"changed":"true","priorSourceDestCheck":"true","sourceDestCheck":"false"},"row":"085b7da74bfa3cb7c81554bcd8fd45a441d376ad78debbcfe0643d023330d18b","status":"succeeded"}','105617dbe133081c07f1017636272554fd858bac6d6a8418882de35470ce74ff','ba1a534ea438e379b255ad0cf825dbfcec3bbfdfc60edc0a0d97d3f09af7483a');
INSERT INTO "actionctl_events" VALUES(11,'2026-11-28T22:32:27.049562942Z','rollback-claimed',1,'mobility-7/assign','tester','{"claimant":"vm, process 22333","digest":"sha256:792d3888192c919d39bff692982f3efad6c8b887cedf891d4985615c76d4b6a6","from":"succeeded","policy":"lab","row":"7dacc180e26c1dfaf1ba4a6b216aac55475d1413fce16d70d62935f6a71ad1f0"}','ba1a534ea438e379b255ad0cf825dbfcec3bbfdfc60edc0a0d97d3f09af7483a','8bc5e46164fa2e1a4064a6553ba6f76084d9d85b3b5b0619063b1f8b426fc34f');
INSERT INTO "actionctl_events" VALUES(12,'2026-11-28T22:32:27.067167290Z','rolled-back',1,'mobility-7/assign','tester','{"became":"rolledBack","digest":"sha256:792d3888192c919d39bff692982f3efad6c8b887cedf891d4985615c76d4b6a6","message":"unassigned 10.88.60.9 from eni-01088600000000011","mode":"execute","observed":{"changed":"true","unassignedAddress":"10.88.60.9"},"row":"ca769a6a2ace754d1cb1b776fce7d6d93c32e40863b4951d6e24b49fd739145a","status":"succeeded"}','8bc5e46164fa2e1a4064a6553ba6f76084d9d85b3b5b0619063b1f8b426fc34f','92d199289abbf8629eb65c2595e47c28c583325ab9ebf20457cae6a6f221524d');
CREATE TABLE actionctl_journal (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	version INTEGER NOT NULL,
	seq INTEGER NOT NULL,
	hash TEXT NOT NULL
);
INSERT INTO "actionctl_journal" VALUES(1,3,12,'92d199289abbf8629eb65c2595e47c28c583325ab9ebf20457cae6a6f221524d');
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
	may_have_changed INTEGER NOT NULL
);
INSERT INTO "actionctl_states" VALUES(1,'capture 10.88.60.9','router-a takes the address over','','sha256:792d3888192c919d39bff692982f3efad6c8b887cedf891d4985615c76d4b6a6','2026-11-28T22:32:26.758437634Z',6,'','','','','',0);
INSERT INTO "actionctl_states" VALUES(2,'forward for 10.88.60.9','','','sha256:5bcab6f0a1694c7feacb1b72088de2c6dcc647280aa99f063c39c3940e42585c','2026-11-28T22:32:26.817438699Z',4,'','','','','',1);
CREATE INDEX actionctl_actions_by_status ON action_executions (status, id);
CREATE INDEX actionctl_approvals_by_action ON actionctl_approvals (action_id, id);
CREATE INDEX actionctl_events_by_action ON actionctl_events (action_id, seq);
CREATE TRIGGER actionctl_events_are_not_changed BEFORE UPDATE ON actionctl_events BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;
CREATE TRIGGER actionctl_events_are_not_deleted BEFORE DELETE ON actionctl_events BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('action_executions',2);
INSERT INTO "sqlite_sequence" VALUES('actionctl_approvals',2);
COMMIT;

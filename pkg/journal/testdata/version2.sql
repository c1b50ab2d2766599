-- A journal that a program of version 2 wrote: import, dry-run, approval, execution, rollback.
PRAGMA foreign_keys = 0;
PRAGMA application_id = 1094931527;
PRAGMA user_version = 2;
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
INSERT INTO "action_executions" VALUES(1,'mobility-7/assign','demo','aws','lab-aws','assign-secondary-ip','{"address":"10.88.60.9/32","nicRef":"eni-01088600000000011","region":"ap-northeast-1"}','{}','{"action":"unassign-secondary-ip"}','medium','succeeded','änn','2026-11-28T15:31:30.358645313Z','2026-11-28T15:31:30.377203458Z','assigned 10.88.60.9 to eni-01088600000000011','','2026-11-28T15:31:30.263601999Z','2026-11-28T15:31:30.420822076Z','{"assignedAddress":"10.88.60.9","changed":"true","currentSecondaryIps":"10.88.60.9","priorAssigned":"false"}');
INSERT INTO "action_executions" VALUES(2,'mobility-7/forward','demo','aws','lab-aws','ensure-forwarding-enabled','{"address":"10.88.60.9/32","nicRef":"eni-01088600000000011","region":"ap-northeast-1"}','{}','{"action":"ensure-forwarding-disabled"}','low','rolledBack','änn','2026-11-28T15:31:30.363002026Z','2026-11-28T15:31:30.431956038Z','rolled back: disabled forwarding on eni-01088600000000011','','2026-11-28T15:31:30.263769325Z','2026-11-28T15:31:30.515697256Z','{"changed":"true","priorSourceDestCheck":"true","sourceDestCheck":"false"}');
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
INSERT INTO "action_state" VALUES(1,'capture 10.88.60.9','router-a takes the address over','','sha256:792d3888192c919d39bff692982f3efad6c8b887cedf891d4985615c76d4b6a6','2026-11-28T15:31:30.263586757Z',4,'','','','','',1);
INSERT INTO "action_state" VALUES(2,'forward for 10.88.60.9','','','sha256:5bcab6f0a1694c7feacb1b72088de2c6dcc647280aa99f063c39c3940e42585c','2026-11-28T15:31:30.263754386Z',6,'','','','','',0);
CREATE TABLE approvals (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	action_id INTEGER NOT NULL REFERENCES action_executions (id),
	approved_by TEXT NOT NULL,
	approved_at TEXT NOT NULL,
	digest TEXT NOT NULL
);
INSERT INTO "approvals" VALUES(1,1,'änn','2026-11-28T15:31:30.358645313Z','sha256:792d3888192c919d39bff692982f3efad6c8b887cedf891d4985615c76d4b6a6');
INSERT INTO "approvals" VALUES(2,2,'änn','2026-11-28T15:31:30.363002026Z','sha256:5bcab6f0a1694c7feacb1b72088de2c6dcc647280aa99f063c39c3940e42585c');
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
INSERT INTO "events" VALUES(1,'2026-11-28T15:31:30.263601999Z','imported',1,'mobility-7/assign','ann','{"action":"assign-secondary-ip","description":"router-a takes the address over","digest":"sha256:792d3888192c919d39bff692982f3efad6c8b887cedf891d4985615c76d4b6a6","name":"capture 10.88.60.9","riskLevel":"medium","row":"37aa33f839bc7fc96fd3786971d62762c89d2e8e138ccb36f54c4eedbd921ed2","source":"demo","target":{"address":"10.88.60.9/32","nicRef":"eni-01088600000000011","region":"ap-northeast-1"}}','','2b5ffaca88790dfdf59e7166078880de7520a391cd6c036b23d978fdfc975ff8');
INSERT INTO "events" VALUES(2,'2026-11-28T15:31:30.263769325Z','imported',2,'mobility-7/forward','ann','{"action":"ensure-forwarding-enabled","digest":"sha256:5bcab6f0a1694c7feacb1b72088de2c6dcc647280aa99f063c39c3940e42585c","name":"forward for 10.88.60.9","riskLevel":"low","row":"4825b6ab2718fcdd0daebc6577aa6c3a94671eef42448282fecbcdd462bfa426","source":"demo","target":{"address":"10.88.60.9/32","nicRef":"eni-01088600000000011","region":"ap-northeast-1"}}','2b5ffaca88790dfdf59e7166078880de7520a391cd6c036b23d978fdfc975ff8','3934e49190b940bf889223da6f13641be433582cec07c8c9a66a212b8334427e');
INSERT INTO "events" VALUES(3,'2026-11-28T15:31:30.280279405Z','denied',1,'mobility-7/assign','ann','{"reasons":["requireEvidence: no dry-run of it has succeeded; run one first","requireApproval: 0 of 1 approvals"],"what":"execution"}','3934e49190b940bf889223da6f13641be433582cec07c8c9a66a212b8334427e','ee3b3a6dc09cd4452248ebfde590725c165f910693054ec9bf676886d35da9a8');
INSERT INTO "events" VALUES(4,'2026-11-28T15:31:30.324190099Z','dry-run',1,'mobility-7/assign','ann','{"digest":"sha256:792d3888192c919d39bff692982f3efad6c8b887cedf891d4985615c76d4b6a6","message":"would assign 10.88.60.9 to eni-01088600000000011","mode":"dry-run","observed":{"priorAssigned":"false"},"status":"succeeded"}','ee3b3a6dc09cd4452248ebfde590725c165f910693054ec9bf676886d35da9a8','3bd516ce9f224ad5c54fc2149c91ba1b183a76ec3a5be44162e04f3badd173ab');
INSERT INTO "events" VALUES(5,'2026-11-28T15:31:30.342976674Z','dry-run',2,'mobility-7/forward','ann','{"digest":"sha256:5bcab6f0a1694c7feacb1b72088de2c6dcc647280aa99f063c39c3940e42585c","message":"would enable forwarding on eni-01088600000000011","mode":"dry-run","observed":{"priorSourceDestCheck":"true","sourceDestCheck":"true"},"status":"succeeded"}','3bd516ce9f224ad5c54fc2149c91ba1b183a76ec3a5be44162e04f3badd173ab','b42a0b16bea6e47b2fe2c18f249f68a429ba61c1e2b3305e1e76a70941e814ec');
INSERT INTO "events" VALUES(6,'2026-11-28T15:31:30.358645313Z','approved',1,'mobility-7/assign','ann','{"by":"änn","digest":"sha256:792d3888192c919d39bff692982f3efad6c8b887cedf891d4985615c76d4b6a6","row":"3252dc59101e2b4d75b76b7d0cac19f8c7300c27a86a5eeb8a7200e1a30218ed","status":"approved"}','b42a0b16bea6e47b2fe2c18f249f68a429ba61c1e2b3305e1e76a70941e814ec','80c5c84b18abf48428dd689f79cda3e6283d6ba773d5139b01f2e8e41deaeabd');
INSERT INTO "events" VALUES(7,'2026-11-28T15:31:30.363002026Z','approved',2,'mobility-7/forward','ann','{"by":"änn","digest":"sha256:5bcab6f0a1694c7feacb1b72088de2c6dcc647280aa99f063c39c3940e42585c","row":"5f9c5dd84ee47524f239cd4c4d97a7ae620da7eb2d024c3191570f25d42a5f48","status":"approved"}','80c5c84b18abf48428dd689f79cda3e6283d6ba773d5139b01f2e8e41deaeabd','6c7199f13d984bb7e9875047cea54117de065d5ffcad2d6c5647c30014be18c7');
INSERT INTO "events" VALUES(8,'2026-11-28T15:31:30.377204030Z','claimed',1,'mobility-7/assign','ann','{"claimant":"vm, process 357","digest":"sha256:792d3888192c919d39bff692982f3efad6c8b887cedf891d4985615c76d4b6a6","from":"approved","policy":"lab","row":"535b8f9bebf312cd77ee322030192ef7b72ad5bf4af38b54e52afceb787c8668"}','6c7199f13d984bb7e9875047cea54117de065d5ffcad2d6c5647c30014be18c7','cceedc5d8476fcab2e083be050c6120aa97f12d80f48cde7284f9b85b401999e');
INSERT INTO "events" VALUES(9,'2026-11-28T15:31:30.420822076Z','result',1,'mobility-7/assign','ann','{"became":"succeeded","digest":"sha256:792d3888192c919d39bff692982f3efad6c8b887cedf891d4985615c76d4b6a6","message":"assigned 10.88.60.9 to eni-01088600000000011","mode":"execute","observed":{"assignedAddress":"10.88.60.9","changed":"true","currentSecondaryIps":"10.88.60.9","priorAssigned":"false"},"row":"22631b4330d159e84d0b5fe69caa3f984e522fc7b1d5991d6cb2f80474bd2b29","status":"succeeded"}','cceedc5d8476fcab2e083be050c6120aa97f12d80f48cde7284f9b85b401999e','847c08adaf027e893e1b7978d05c1c0210f7ea5fe8a60cbc669c639490eefdce');
INSERT INTO "events" VALUES(10,'2026-11-28T15:31:30.431956503Z','claimed',2,'mobility-7/forward','ann','{"claimant":"vm, process 378","digest":"sha256:5bcab6f0a1694c7feacb1b72088de2c6dcc647280aa99f063c39c3940e42585c","from":"approved","policy":"lab","row":"5669918634f2fc21956498ab2fe2993fb9be63b01ec9fcf6a2dbc6dd0f5ee658"}','847c08adaf027e893e1b7978d05c1c0210f7ea5fe8a60cbc669c639490eefdce','e1e33780f18d05702bb6755e1f6ec5ce39b39f283fca941b1951f9c1ccfd1e48');
INSERT INTO "events" VALUES(11,'2026-11-28T15:31:30.467302172Z','result',2,'mobility-7/forward','ann','{"became":"succeeded","digest":"sha256:5bcab6f0a1694c7feacb1b72088de2c6dcc647280aa99f063c39c3940e42585c","message":"enabled forwarding on eni-01088600000000011","mode":"execute","observed":{"changed":"true","priorSourceDestCheck":"true","sourceDestCheck":"false"},"row":"3ed0d4a153e216623616a8580be4ef363dd2e6e115aaf79294be22a93a7d537f","status":"succeeded"}','e1e33780f18d05702bb6755e1f6ec5ce39b39f283fca941b1951f9c1ccfd1e48','42d623136b4e5f75695ab6c36ca546a0dd11c01d99c6a045a24614b32d296d39');
INSERT INTO "events" VALUES(12,'2026-11-28T15:31:30.485377418Z','rollback-claimed',2,'mobility-7/forward','ann','{"claimant":"vm, process 401","digest":"sha256:5bcab6f0a1694c7feacb1b72088de2c6dcc647280aa99f063c39c3940e42585c","from":"succeeded","policy":"lab","row":"103cd0b5030c6ba44bce544a215edab4858ac94814ab96d9ee97f87621525278"}','42d623136b4e5f75695ab6c36ca546a0dd11c01d99c6a045a24614b32d296d39','a7806823719f452fd7e2963b5bb4eeaaa6aae69d80025db5137a16f6931b3790');
INSERT INTO "events" VALUES(13,'2026-11-28T15:31:30.515697256Z','rolled-back',2,'mobility-7/forward','ann','{"became":"rolledBack","digest":"sha256:5bcab6f0a1694c7feacb1b72088de2c6dcc647280aa99f063c39c3940e42585c","message":"disabled forwarding on eni-01088600000000011","mode":"execute","observed":{"changed":"true","priorSourceDestCheck":"true","sourceDestCheck":"true"},"row":"cf24483dd8d03d04ebb5fa9f79a854771919079015854270cb3dd57304613d20","status":"succeeded"}','a7806823719f452fd7e2963b5bb4eeaaa6aae69d80025db5137a16f6931b3790','c536d8aecf1211acf9f75e6ef8b5f8d7cef09d617a5f3431eb8317eebaac5db1');
CREATE TABLE journal_head (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	seq INTEGER NOT NULL,
	hash TEXT NOT NULL
);
INSERT INTO "journal_head" VALUES(1,13,'c536d8aecf1211acf9f75e6ef8b5f8d7cef09d617a5f3431eb8317eebaac5db1');
CREATE INDEX action_executions_by_status ON action_executions (status, id);
CREATE INDEX approvals_by_action ON approvals (action_id, id);
CREATE INDEX events_by_action ON events (action_id, seq);
CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;
CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('action_executions',2);
INSERT INTO "sqlite_sequence" VALUES('approvals',2);
COMMIT;

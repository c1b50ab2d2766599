-- A journal that a program of version 4 wrote: import, dry-run, approval, execution, rollback,
-- a refusal and a rejection, with texts that JSON escapes and HTML would.
PRAGMA foreign_keys = 0;
PRAGMA application_id = 1094931527;
PRAGMA user_version = 4;
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
INSERT INTO "action_executions" VALUES(1,'mobility-7/assign','planner <a & "b">','aws','lab-aws','assign-secondary-ip','{"address":"10.88.60.9/32","nicRef":"eni-01088600000000011","region":"ap-northeast-1"}','{}','{"action":"unassign-secondary-ip"}','medium','succeeded','Änn (self-declared)','2026-11-29T01:39:03.447776417Z','2026-11-29T01:39:03.591866214Z','assigned 10.88.60.9 to eni-01088600000000011','','2026-11-29T01:39:03.262178012Z','2026-11-29T01:39:03.815609704Z','{"assignedAddress":"10.88.60.9","changed":"true","currentSecondaryIps":"10.88.60.9","priorAssigned":"false"}');
INSERT INTO "action_executions" VALUES(2,'mobility-7/förward<&>','planner <a & "b">','aws','lab-aws','ensure-forwarding-enabled','{"address":"10.88.60.9/32","nicRef":"eni-01088600000000011","region":"ap-northeast-1"}','{}','{"action":"ensure-forwarding-disabled","parameters":{"onDrift":"restore"}}','low','rolledBack','Änn (self-declared)','2026-11-29T01:39:03.516972293Z','2026-11-29T01:39:03.828088982Z','rolled back: disabled forwarding on eni-01088600000000011','','2026-11-29T01:39:03.262242512Z','2026-11-29T01:39:04.079586440Z','{"changed":"true","priorSourceDestCheck":"true","sourceDestCheck":"false"}');
INSERT INTO "action_executions" VALUES(3,'mobility-7/later','planner <a & "b">','aws','lab-aws','ensure-forwarding-enabled','{"nicRef":"eni-01088600000000011","region":"ap-northeast-1"}','{}','{"action":"ensure-forwarding-disabled"}','','rejected','','','','','rejected by Bo <b>: not "now" \ & never','2026-11-29T01:39:03.262322212Z','2026-11-29T01:39:04.149226475Z','{}');
CREATE TABLE actionctl_approvals (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	action_id INTEGER NOT NULL REFERENCES action_executions (id),
	approved_by TEXT NOT NULL,
	approved_at TEXT NOT NULL,
	digest TEXT NOT NULL
);
INSERT INTO "actionctl_approvals" VALUES(1,1,'Änn','2026-11-29T01:39:03.447776417Z','sha256:792d3888192c919d39bff692982f3efad6c8b887cedf891d4985615c76d4b6a6');
INSERT INTO "actionctl_approvals" VALUES(2,2,'Änn','2026-11-29T01:39:03.516972293Z','sha256:c412dc62aa9d40b34f798877b15f3d235fe9222a543562247d6f7d50b5c36461');
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
INSERT INTO "actionctl_events" VALUES(1,'2026-11-29T01:39:03.262178012Z','imported',1,'mobility-7/assign','root','{"action":"assign-secondary-ip","description":"router-a <takes> the \"address\" & over \\ ünï  ","digest":"sha256:792d3888192c919d39bff692982f3efad6c8b887cedf891d4985615c76d4b6a6","name":"capture 10.88.60.9","riskLevel":"medium","row":"a77e5337b90e9b8edc8b15737b46bccf4c4414b710fb828f893d11d82ebfd95f","source":"planner <a & \"b\">","target":{"address":"10.88.60.9/32","nicRef":"eni-01088600000000011","region":"ap-northeast-1"}}','a1139df3de5062d01eecd1a63c7242303ac71990fd88ad4dbdecbd1a7449c0c3','33e3bd637abeb52b43682fb501141d5e4139828342bea6211917f203a75f0a8f');
INSERT INTO "actionctl_events" VALUES(2,'2026-11-29T01:39:03.262242512Z','imported',2,'mobility-7/förward<&>','root','{"action":"ensure-forwarding-enabled","digest":"sha256:c412dc62aa9d40b34f798877b15f3d235fe9222a543562247d6f7d50b5c36461","name":"forward","riskLevel":"low","row":"dbf2cd3df56caa102e479c752fae97e3f7ac4a70991771e0c49941e7222c24b9","source":"planner <a & \"b\">","target":{"address":"10.88.60.9/32","nicRef":"eni-01088600000000011","region":"ap-northeast-1"}}','33e3bd637abeb52b43682fb501141d5e4139828342bea6211917f203a75f0a8f','5836237cb59ce7732bba128099707ec72a8aabcfee929b5206f0b5ac4c83e622');
INSERT INTO "actionctl_events" VALUES(3,'2026-11-29T01:39:03.262322212Z','imported',3,'mobility-7/later','root','{"action":"ensure-forwarding-enabled","digest":"sha256:6f6d9e12afb6f0930f0162c150d91b834c6f20522f02804c67a53fe137f6febf","name":"later","row":"e1be8c8a15b9ff5439bea692d40013286b61ab25ffd6c91c25b027901c4fd0f8","source":"planner <a & \"b\">","target":{"nicRef":"eni-01088600000000011","region":"ap-northeast-1"}}','5836237cb59ce7732bba128099707ec72a8aabcfee929b5206f0b5ac4c83e622','927bd76aa015a9fecfb7c7e7e13a6a0e2c85c9ca2d8ac1f930691442fd8242c2');
INSERT INTO "actionctl_events" VALUES(4,'2026-11-29T01:39:03.421857734Z','dry-run',1,'mobility-7/assign','root','{"digest":"sha256:792d3888192c919d39bff692982f3efad6c8b887cedf891d4985615c76d4b6a6","message":"would assign 10.88.60.9 to eni-01088600000000011","mode":"dry-run","names":{"eni-01088600000000011":"router-a","i-01088600000000011":"router-a"},"observed":{"plan":"[{\"resource\":\"vpc-01088000000000000/10.88.60.9\",\"attribute\":\"holder\",\"from\":\"none\",\"to\":\"eni-01088600000000011\"}]","priorAssigned":"false","undoPlan":"[{\"resource\":\"vpc-01088000000000000/10.88.60.9\",\"attribute\":\"holder\",\"from\":\"eni-01088600000000011\",\"to\":\"none\"}]"},"plugin":{"digest":"sha256:508f5a85851211c6e481add96342d39f39952076cd9d77bc06b63df328130d8b","path":"/opt/executor/bin/aws-provider-executor","version":"aws-provider-executor devel"},"status":"succeeded"}','927bd76aa015a9fecfb7c7e7e13a6a0e2c85c9ca2d8ac1f930691442fd8242c2','114f767dac0f95f77ad4303d9eeab38e4bcece4d4c15f2e1ce1561cfc46a0e3a');
INSERT INTO "actionctl_events" VALUES(5,'2026-11-29T01:39:03.436889477Z','dry-run',2,'mobility-7/förward<&>','root','{"digest":"sha256:c412dc62aa9d40b34f798877b15f3d235fe9222a543562247d6f7d50b5c36461","message":"would enable forwarding on eni-01088600000000011","mode":"dry-run","names":{"eni-01088600000000011":"router-a","i-01088600000000011":"router-a"},"observed":{"plan":"[{\"resource\":\"eni-01088600000000011\",\"attribute\":\"sourceDestCheck\",\"from\":\"true\",\"to\":\"false\"}]","priorSourceDestCheck":"true","sourceDestCheck":"true","undoPlan":"[{\"resource\":\"eni-01088600000000011\",\"attribute\":\"sourceDestCheck\",\"from\":\"false\",\"to\":\"true\"}]"},"plugin":{"digest":"sha256:508f5a85851211c6e481add96342d39f39952076cd9d77bc06b63df328130d8b","path":"/opt/executor/bin/aws-provider-executor","version":"aws-provider-executor devel"},"status":"succeeded"}','114f767dac0f95f77ad4303d9eeab38e4bcece4d4c15f2e1ce1561cfc46a0e3a','7853ffc4f55c52e051afbf6e32faf03610f576d97de1bd9e802fa8ba09b7a642');
INSERT INTO "actionctl_events" VALUES(6,'2026-11-29T01:39:03.447776417Z','approved',1,'mobility-7/assign','root','{"by":"Änn","digest":"sha256:792d3888192c919d39bff692982f3efad6c8b887cedf891d4985615c76d4b6a6","evidence":"sha256:713a3d2c90ef4629f7252a57f15ee58df41b97c2e2b3dacf379d2dbeb6c252ac","plugin":{"digest":"sha256:508f5a85851211c6e481add96342d39f39952076cd9d77bc06b63df328130d8b","path":"/opt/executor/bin/aws-provider-executor","version":""},"row":"af55ed24d652ec4079a3dd078cb11c3c5c8bdd285d277bbf5cba4fb07dd6eba1","seen":"{\"at\":\"2026-11-29T01:39:03.421857734Z\",\"outcome\":{\"changes\":[{\"attribute\":\"holder\",\"from\":\"none\",\"resource\":\"vpc-01088000000000000/10.88.60.9\",\"to\":\"eni-01088600000000011\"}],\"message\":\"would assign 10.88.60.9 to eni-01088600000000011\",\"observed\":{\"priorAssigned\":\"false\"},\"status\":\"succeeded\",\"undoChanges\":[{\"attribute\":\"holder\",\"from\":\"eni-01088600000000011\",\"resource\":\"vpc-01088000000000000/10.88.60.9\",\"to\":\"none\"}]},\"plan\":\"sha256:792d3888192c919d39bff692982f3efad6c8b887cedf891d4985615c76d4b6a6\"}","status":"approved","user":"root"}','7853ffc4f55c52e051afbf6e32faf03610f576d97de1bd9e802fa8ba09b7a642','5677c768d6e991e0708fb14c2cfbc241b970be2404860f321b6d0de8b759ca68');
INSERT INTO "actionctl_events" VALUES(7,'2026-11-29T01:39:03.516972293Z','approved',2,'mobility-7/förward<&>','root','{"by":"Änn","digest":"sha256:c412dc62aa9d40b34f798877b15f3d235fe9222a543562247d6f7d50b5c36461","evidence":"sha256:3124a1d2652f40fd4da230d8909090c7eb406847aa6982cb0d4b6e540d376d4e","plugin":{"digest":"sha256:508f5a85851211c6e481add96342d39f39952076cd9d77bc06b63df328130d8b","path":"/opt/executor/bin/aws-provider-executor","version":""},"row":"508e6352412eb8042e6921a59fe7af970902e4b83aa725fb180bcf97d11c1656","seen":"{\"at\":\"2026-11-29T01:39:03.436889477Z\",\"outcome\":{\"changes\":[{\"attribute\":\"sourceDestCheck\",\"from\":\"true\",\"resource\":\"eni-01088600000000011\",\"to\":\"false\"}],\"message\":\"would enable forwarding on eni-01088600000000011\",\"observed\":{\"priorSourceDestCheck\":\"true\",\"sourceDestCheck\":\"true\"},\"status\":\"succeeded\",\"undoChanges\":[{\"attribute\":\"sourceDestCheck\",\"from\":\"false\",\"resource\":\"eni-01088600000000011\",\"to\":\"true\"}]},\"plan\":\"sha256:c412dc62aa9d40b34f798877b15f3d235fe9222a543562247d6f7d50b5c36461\"}","status":"approved","user":"root"}','5677c768d6e991e0708fb14c2cfbc241b970be2404860f321b6d0de8b759ca68','126779718b3078beab5bb52daee5ca92ef3e5bf62b643f7fa89edf6d38a00538');
INSERT INTO "actionctl_events" VALUES(8,'2026-11-29T01:39:03.591868649Z','claimed',1,'mobility-7/assign','root','{"claimant":"process 20320 on vm","digest":"sha256:792d3888192c919d39bff692982f3efad6c8b887cedf891d4985615c76d4b6a6","from":"approved","plugin":{"digest":"sha256:508f5a85851211c6e481add96342d39f39952076cd9d77bc06b63df328130d8b","path":"/opt/executor/bin/aws-provider-executor","version":"aws-provider-executor devel"},"policy":"lab","row":"f896a69025a9b5d0d2504ca2ef4b4078bef4a0fcce006446124d824ac1644818"}','126779718b3078beab5bb52daee5ca92ef3e5bf62b643f7fa89edf6d38a00538','ebb9275c9d6971b82bafd04696a6928d67c4aa3efbf1928dac48a1fae44257b0');
INSERT INTO "actionctl_events" VALUES(9,'2026-11-29T01:39:03.815609704Z','result',1,'mobility-7/assign','root','{"became":"succeeded","digest":"sha256:792d3888192c919d39bff692982f3efad6c8b887cedf891d4985615c76d4b6a6","message":"assigned 10.88.60.9 to eni-01088600000000011","mode":"execute","observed":{"assignedAddress":"10.88.60.9","changed":"true","currentSecondaryIps":"10.88.60.9","plan":"[{\"resource\":\"vpc-01088000000000000/10.88.60.9\",\"attribute\":\"holder\",\"from\":\"none\",\"to\":\"eni-01088600000000011\"}]","priorAssigned":"false","undoPlan":"[{\"resource\":\"vpc-01088000000000000/10.88.60.9\",\"attribute\":\"holder\",\"from\":\"eni-01088600000000011\",\"to\":\"none\"}]"},"row":"15553a83dc497d6c084aba3d4db895d23ceb979dc00ac805bc7f1490eabe5a09","status":"succeeded"}','ebb9275c9d6971b82bafd04696a6928d67c4aa3efbf1928dac48a1fae44257b0','5b60c3c141676ebd2f4792ffbd43563fe677b792b9c52635f03ec782559a2f1b');
INSERT INTO "actionctl_events" VALUES(10,'2026-11-29T01:39:03.828091149Z','claimed',2,'mobility-7/förward<&>','root','{"claimant":"process 20320 on vm","digest":"sha256:c412dc62aa9d40b34f798877b15f3d235fe9222a543562247d6f7d50b5c36461","from":"approved","plugin":{"digest":"sha256:508f5a85851211c6e481add96342d39f39952076cd9d77bc06b63df328130d8b","path":"/opt/executor/bin/aws-provider-executor","version":"aws-provider-executor devel"},"policy":"lab","row":"2a1982eba814ea8a64699362102a854b937ece3a6afeb08fa4b09711588a5261"}','5b60c3c141676ebd2f4792ffbd43563fe677b792b9c52635f03ec782559a2f1b','5a1db69ae7637a3f93ad3a9ba7ba2ac56ac3259d20ce99fdfc0f17dfbb1ff31f');
INSERT INTO "actionctl_events" VALUES(11,'2026-11-29T01:39:03.885132113Z','result',2,'mobility-7/förward<&>','root','{"became":"succeeded","digest":"sha256:c412dc62aa9d40b34f798877b15f3d235fe9222a543562247d6f7d50b5c36461","message":"enabled forwarding on eni-01088600000000011","mode":"execute","observed":{"changed":"true","plan":"[{\"resource\":\"eni-01088600000000011\",\"attribute\":\"sourceDestCheck\",\"from\":\"true\",\"to\":\"false\"}]","priorSourceDestCheck":"true","sourceDestCheck":"false","undoPlan":"[{\"resource\":\"eni-01088600000000011\",\"attribute\":\"sourceDestCheck\",\"from\":\"false\",\"to\":\"true\"}]"},"row":"17f4ece5c336454f82bf17e5a67d057761310e562ff4bfcf259c44046ef282ac","status":"succeeded"}','5a1db69ae7637a3f93ad3a9ba7ba2ac56ac3259d20ce99fdfc0f17dfbb1ff31f','f217133a24795341fe38ba2a447641ac9ff0d5473972e22f2474cdbe46c827b1');
INSERT INTO "actionctl_events" VALUES(12,'2026-11-29T01:39:03.996089804Z','rollback-claimed',2,'mobility-7/förward<&>','root','{"claimant":"process 20425 on vm","digest":"sha256:c412dc62aa9d40b34f798877b15f3d235fe9222a543562247d6f7d50b5c36461","from":"succeeded","plugin":{"digest":"sha256:508f5a85851211c6e481add96342d39f39952076cd9d77bc06b63df328130d8b","path":"/opt/executor/bin/aws-provider-executor","version":"aws-provider-executor devel"},"policy":"lab","row":"880429c2d87c0f3418e1259f24c529d10b8fb4c46f9774e5a8acdb7ee562442a"}','f217133a24795341fe38ba2a447641ac9ff0d5473972e22f2474cdbe46c827b1','64550fa196855c5e2b9b975c2736c6c99d90ad92f0a0a22a0e24a37aca7915a5');
INSERT INTO "actionctl_events" VALUES(13,'2026-11-29T01:39:04.079586440Z','rolled-back',2,'mobility-7/förward<&>','root','{"became":"rolledBack","digest":"sha256:c412dc62aa9d40b34f798877b15f3d235fe9222a543562247d6f7d50b5c36461","message":"disabled forwarding on eni-01088600000000011","mode":"execute","observed":{"changed":"true","plan":"[{\"resource\":\"eni-01088600000000011\",\"attribute\":\"sourceDestCheck\",\"from\":\"false\",\"to\":\"true\"}]","priorSourceDestCheck":"true","sourceDestCheck":"true"},"row":"ede63a05b4eea11d18701aeb5cedddc8567695ae2e1cb449825343b6f850fbbe","status":"succeeded"}','64550fa196855c5e2b9b975c2736c6c99d90ad92f0a0a22a0e24a37aca7915a5','b34f0c471f0a15302be0a4fa441244130bfc9699678169f8429dd441e8547070');
INSERT INTO "actionctl_events" VALUES(14,'2026-11-29T01:39:04.133668592Z','denied',3,'mobility-7/later','root','{"reasons":["allowedCIDRs: the target has no address to check; name it in target.address","requireEvidence: no dry-run of it has succeeded; run one first","requireApproval: 0 of 1 approvals"],"what":"execution"}','b34f0c471f0a15302be0a4fa441244130bfc9699678169f8429dd441e8547070','804cc9e5a40f897cab77d1d67010f060aa9ec1bbd4912e6e1e9e4eeec811d471');
INSERT INTO "actionctl_events" VALUES(15,'2026-11-29T01:39:04.149226475Z','rejected',3,'mobility-7/later','root','{"by":"Bo <b>","reason":"not \"now\" \\ & never","row":"0382f2415344cdfa7502ab5ca84f8c886b9c52176840c59edc84f9d484bd1ea7","status":"rejected"}','804cc9e5a40f897cab77d1d67010f060aa9ec1bbd4912e6e1e9e4eeec811d471','4e8e145fc381855e3b0752a02266e76c7a93399bbe010df1703b51abb97aa0d0');
CREATE TABLE actionctl_journal (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	version INTEGER NOT NULL,
	id TEXT NOT NULL,
	seq INTEGER NOT NULL,
	hash TEXT NOT NULL
);
INSERT INTO "actionctl_journal" VALUES(1,4,'a1139df3de5062d01eecd1a63c7242303ac71990fd88ad4dbdecbd1a7449c0c3',15,'4e8e145fc381855e3b0752a02266e76c7a93399bbe010df1703b51abb97aa0d0');
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
	claim_process TEXT NOT NULL
);
INSERT INTO "actionctl_states" VALUES(1,'capture 10.88.60.9','router-a <takes> the "address" & over \ ünï  ','','sha256:792d3888192c919d39bff692982f3efad6c8b887cedf891d4985615c76d4b6a6','2026-11-29T01:39:03.262159883Z',4,'','','','','',1,'');
INSERT INTO "actionctl_states" VALUES(2,'forward','','','sha256:c412dc62aa9d40b34f798877b15f3d235fe9222a543562247d6f7d50b5c36461','2026-11-29T01:39:03.262236218Z',6,'','','','','',0,'');
INSERT INTO "actionctl_states" VALUES(3,'later','','','sha256:6f6d9e12afb6f0930f0162c150d91b834c6f20522f02804c67a53fe137f6febf','2026-11-29T01:39:03.262315337Z',2,'','','','','',0,'');
CREATE INDEX actionctl_actions_by_status ON action_executions (status, id);
CREATE INDEX actionctl_approvals_by_action ON actionctl_approvals (action_id, id);
CREATE INDEX actionctl_events_by_action ON actionctl_events (action_id, seq);
CREATE TRIGGER actionctl_events_are_not_changed BEFORE UPDATE ON actionctl_events BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;
CREATE TRIGGER actionctl_events_are_not_deleted BEFORE DELETE ON actionctl_events BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('action_executions',3);
INSERT INTO "sqlite_sequence" VALUES('actionctl_approvals',2);
COMMIT;

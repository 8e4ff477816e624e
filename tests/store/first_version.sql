-- A SQLite database of version 0001, as the first version of the tables was. It never changes.
BEGIN;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE organizations (
	id VARCHAR(64) NOT NULL, 
	name TEXT NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	monthly_budget BIGINT, 
	failure_mode VARCHAR(16) NOT NULL, 
	fallback_daily_limit BIGINT, 
	metadata TEXT NOT NULL, 
	search TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	CONSTRAINT pk_organizations PRIMARY KEY (id)
);
CREATE TABLE projects (
	id VARCHAR(64) NOT NULL, 
	organization_id VARCHAR(64) NOT NULL, 
	name TEXT NOT NULL, 
	description TEXT NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	metadata TEXT NOT NULL, 
	search TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	CONSTRAINT pk_projects PRIMARY KEY (id), 
	CONSTRAINT fk_projects_organization_id FOREIGN KEY(organization_id) REFERENCES organizations (id) ON DELETE CASCADE
);
CREATE TABLE users (
	id VARCHAR(64) NOT NULL, 
	organization_id VARCHAR(64) NOT NULL, 
	email VARCHAR(320) NOT NULL, 
	name TEXT NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	monthly_limit BIGINT, 
	metadata TEXT NOT NULL, 
	search TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	CONSTRAINT pk_users PRIMARY KEY (id), 
	CONSTRAINT fk_users_organization_id FOREIGN KEY(organization_id) REFERENCES organizations (id) ON DELETE CASCADE, 
	CONSTRAINT uq_users_organization_id_email UNIQUE (organization_id, email)
);
CREATE TABLE tokens (
	id VARCHAR(64) NOT NULL, 
	digest BLOB NOT NULL, 
	prefix VARCHAR(64) NOT NULL, 
	last_four VARCHAR(16) NOT NULL, 
	organization_id VARCHAR(64) NOT NULL, 
	project_id VARCHAR(64), 
	user_id VARCHAR(64), 
	name TEXT NOT NULL, 
	tier TEXT NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	expires_at BIGINT, 
	idle_seconds BIGINT, 
	retires_at BIGINT, 
	replaced_by VARCHAR(64), 
	max_requests BIGINT, 
	request_count BIGINT NOT NULL, 
	model TEXT, 
	models TEXT NOT NULL, 
	paths TEXT NOT NULL, 
	request_headers TEXT NOT NULL, 
	tags TEXT NOT NULL, 
	metadata TEXT NOT NULL, 
	last_used_at BIGINT, 
	dead_at BIGINT, 
	search TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	CONSTRAINT pk_tokens PRIMARY KEY (id), 
	CONSTRAINT fk_tokens_organization_id FOREIGN KEY(organization_id) REFERENCES organizations (id) ON DELETE CASCADE, 
	CONSTRAINT fk_tokens_project_id FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE, 
	CONSTRAINT fk_tokens_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT uq_tokens_digest UNIQUE (digest)
);
CREATE TABLE credentials (
	id VARCHAR(64) NOT NULL, 
	project_id VARCHAR(64) NOT NULL, 
	provider VARCHAR(200) NOT NULL, 
	ciphertext BLOB NOT NULL, 
	key_id VARCHAR(200) NOT NULL, 
	last_four VARCHAR(16) NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	CONSTRAINT pk_credentials PRIMARY KEY (id), 
	CONSTRAINT fk_credentials_project_id FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE, 
	CONSTRAINT uq_credentials_project_id_provider UNIQUE (project_id, provider)
);
CREATE TABLE admin_keys (
	id VARCHAR(64) NOT NULL, 
	digest BLOB NOT NULL, 
	prefix VARCHAR(64) NOT NULL, 
	last_four VARCHAR(16) NOT NULL, 
	name TEXT NOT NULL, 
	role VARCHAR(32) NOT NULL, 
	organization_id VARCHAR(64), 
	status VARCHAR(16) NOT NULL, 
	expires_at BIGINT, 
	last_used_at BIGINT, 
	search TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	CONSTRAINT pk_admin_keys PRIMARY KEY (id), 
	CONSTRAINT fk_admin_keys_organization_id FOREIGN KEY(organization_id) REFERENCES organizations (id) ON DELETE CASCADE, 
	CONSTRAINT uq_admin_keys_digest UNIQUE (digest)
);
CREATE TABLE accounts (
	id VARCHAR(64) NOT NULL, 
	login VARCHAR(320) NOT NULL, 
	password_hash TEXT NOT NULL, 
	role VARCHAR(32) NOT NULL, 
	organization_id VARCHAR(64), 
	status VARCHAR(16) NOT NULL, 
	search TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	CONSTRAINT pk_accounts PRIMARY KEY (id), 
	CONSTRAINT fk_accounts_organization_id FOREIGN KEY(organization_id) REFERENCES organizations (id) ON DELETE CASCADE, 
	CONSTRAINT uq_accounts_login UNIQUE (login)
);
CREATE TABLE audit (
	sequence INTEGER NOT NULL, 
	at BIGINT NOT NULL, 
	actor VARCHAR(320) NOT NULL, 
	actor_kind VARCHAR(32) NOT NULL, 
	address TEXT NOT NULL, 
	action VARCHAR(64) NOT NULL, 
	target_kind VARCHAR(64) NOT NULL, 
	target_id VARCHAR(320) NOT NULL, 
	organization_id VARCHAR(64), 
	request_id TEXT NOT NULL, 
	"before" TEXT, 
	"after" TEXT, 
	search TEXT NOT NULL, 
	previous_hash BLOB NOT NULL, 
	hash BLOB NOT NULL, 
	CONSTRAINT pk_audit PRIMARY KEY (sequence)
);
CREATE TABLE changes (
	sequence INTEGER NOT NULL, 
	at BIGINT NOT NULL, 
	digest BLOB, 
	CONSTRAINT pk_changes PRIMARY KEY (sequence)
);
CREATE TABLE heads (
	name VARCHAR(16) NOT NULL, 
	sequence BIGINT NOT NULL, 
	hash BLOB NOT NULL, 
	CONSTRAINT pk_heads PRIMARY KEY (name)
);
CREATE TABLE idempotency (
	"key" VARCHAR(320) NOT NULL, 
	scope VARCHAR(320) NOT NULL, 
	request_digest BLOB NOT NULL, 
	status INTEGER NOT NULL, 
	body BLOB NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_idempotency PRIMARY KEY ("key", scope)
);
INSERT INTO "alembic_version" VALUES('0001');
INSERT INTO "organizations" VALUES('org_default','Default','active',NULL,'closed',NULL,'{}','default',1760000000000,1760000000000,1);
INSERT INTO "organizations" VALUES('org_saved','Saved & Söhne','active',9000000000000,'open',1000,'{"plan":"gold"}','saved & söhne',1760000000000,1760000000000,1);
INSERT INTO "projects" VALUES('prj_default','org_default','Default','','active','{}','default
',1760000000000,1760000000000,1);
INSERT INTO "projects" VALUES('prj_saved','org_saved','Analytics','It''s "quoted"','active','{}','analytics
it''s "quoted"',1760000000000,1760000000000,1);
INSERT INTO "users" VALUES('usr_saved','org_saved','ada@example.com','Ada','active',5000000000,'{}','ada@example.com
ada',1760000000000,1760000000000,1);
INSERT INTO "tokens" VALUES('tok_saved',X'0101010101010101010101010101010101010101010101010101010101010101','sk-sg-ab','wxyz','org_saved','prj_saved','usr_saved','CI','gold','active',3520000000000,3600,NULL,NULL,100,7,NULL,'["gpt-*"]','["/v1/*"]','["x-team"]','["a","b"]','{"team":"Größe"}',1760000000500,1760003600500,'ci
sk-sg-ab
wxyz',1760000000000,1760000000000,1);
INSERT INTO "credentials" VALUES('crd_saved','prj_saved','openai',X'000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F','k1','9f3e',1760000000000,1760000000000,1);
INSERT INTO "admin_keys" VALUES('adm_saved',X'0202020202020202020202020202020202020202020202020202020202020202','sk-sg-ad','abcd','Ops','organization_admin','org_saved','active',NULL,NULL,'ops',1760000000000,1760000000000,1);
INSERT INTO "accounts" VALUES('acc_saved','grace','$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA','viewer','org_saved','active','grace',1760000000000,1760000000000,1);
INSERT INTO "audit" VALUES(1,1760000000000,'adm_saved','admin_key','192.0.2.7','token.create','token','tok_saved','org_saved','req_1',NULL,'{"name":"CI"}','adm_saved
token.create
token
tok_saved
req_1
192.0.2.7

{"name":"ci"}',X'0000000000000000000000000000000000000000000000000000000000000000',X'CEE31DEEE5175202387E4B3E1218A218AE92EE5E5147DDAF53FF7217EFC9C69A');
INSERT INTO "audit" VALUES(2,1760000000001,'root','root','','project.update','project','prj_saved',NULL,'','{"name":"Größe"}','{"name":"Analytics"}','root
project.update
project
prj_saved


{"name":"grösse"}
{"name":"analytics"}',X'CEE31DEEE5175202387E4B3E1218A218AE92EE5E5147DDAF53FF7217EFC9C69A',X'BF0FEB3F7B5483313AC158363C611902FF9811A47CF0D8C5A0651EC4324766E8');
INSERT INTO "changes" VALUES(1,1760000000000,X'0101010101010101010101010101010101010101010101010101010101010101');
INSERT INTO "heads" VALUES('audit',2,X'BF0FEB3F7B5483313AC158363C611902FF9811A47CF0D8C5A0651EC4324766E8');
INSERT INTO "heads" VALUES('changes',1,X'0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO "idempotency" VALUES('key','adm_saved POST /admin/tokens',X'0303030303030303030303030303030303030303030303030303030303030303',201,X'007365616C6564',1760000000000);
CREATE INDEX ix_audit_action ON audit (action, sequence);
CREATE INDEX ix_audit_actor ON audit (actor, sequence);
CREATE INDEX ix_audit_at ON audit (at, sequence);
CREATE INDEX ix_audit_organization ON audit (organization_id, sequence);
CREATE INDEX ix_audit_target ON audit (target_id, sequence);
CREATE INDEX ix_audit_target_kind ON audit (target_kind, sequence);
CREATE INDEX ix_changes_at ON changes (at);
CREATE INDEX ix_idempotency_created ON idempotency (created_at);
CREATE INDEX ix_accounts_organization ON accounts (organization_id, id);
CREATE INDEX ix_admin_keys_organization ON admin_keys (organization_id, id);
CREATE INDEX ix_projects_organization ON projects (organization_id, id);
CREATE INDEX ix_projects_status ON projects (status, id);
CREATE INDEX ix_users_email ON users (email, id);
CREATE INDEX ix_users_organization ON users (organization_id, id);
CREATE INDEX ix_users_organization_status ON users (organization_id, status, id);
CREATE INDEX ix_users_status ON users (status, id);
CREATE INDEX ix_credentials_key ON credentials (key_id, id);
CREATE INDEX ix_tokens_dead ON tokens (dead_at);
CREATE INDEX ix_tokens_organization ON tokens (organization_id, id);
CREATE INDEX ix_tokens_organization_status ON tokens (organization_id, status, id);
CREATE INDEX ix_tokens_project ON tokens (project_id, id);
CREATE INDEX ix_tokens_project_status ON tokens (project_id, status, id);
CREATE INDEX ix_tokens_status ON tokens (status, id);
CREATE INDEX ix_tokens_user ON tokens (user_id, id);
CREATE INDEX ix_tokens_search ON tokens (id, organization_id, project_id, user_id, status, search);
CREATE INDEX ix_tokens_totals ON tokens (organization_id, request_count, last_used_at);
CREATE INDEX ix_users_search ON users (id, organization_id, status, email, search);
COMMIT;

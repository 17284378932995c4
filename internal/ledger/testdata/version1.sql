-- A ledger of schema 1, as sqlite3's .dump writes it. Never edited.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE schema_versions (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
INSERT INTO schema_versions VALUES(1,0,1,'2026-11-24 02:52:38');
INSERT INTO schema_versions VALUES(2,1,1,'2026-11-24 02:52:38');
CREATE TABLE apps (
  name    TEXT    PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 40 AND name NOT GLOB '*[^a-z0-9-]*'),
  branch  TEXT    NOT NULL,
  created INTEGER NOT NULL
) STRICT;
INSERT INTO apps VALUES('shop','main',1795488758760898020);
CREATE TABLE releases (
  app       TEXT    NOT NULL REFERENCES apps (name),
  version   INTEGER NOT NULL CHECK (version > 0),
  commit_id TEXT    NOT NULL CHECK (length(commit_id) IN (40, 64) AND commit_id NOT GLOB '*[^0-9a-f]*'),
  subject   TEXT    NOT NULL,
  pusher    TEXT    NOT NULL,
  -- deploy.Trigger. Not a closed set here: SQLite cannot change a CHECK
  -- without a copy of the table, and more ways to deploy will come.
  cause     TEXT    NOT NULL CHECK (cause <> ''),
  state     TEXT    NOT NULL CHECK (state IN ('building', 'booting', 'live', 'retired', 'failed')),
  reason    TEXT    NOT NULL,
  manifest  TEXT    NOT NULL CHECK (json_valid(manifest)),
  steps     TEXT    NOT NULL CHECK (json_valid(steps)),
  created   INTEGER NOT NULL,
  finished  INTEGER,
  PRIMARY KEY (app, version)
) STRICT;
INSERT INTO releases VALUES('shop',1,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','change things','alice','push','retired','','{"base":"node-22.23.1","node":"22.23.1","deps":{},"app":{"digest":"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee","size":4096},"start":["node","server.js"],"health":{"path":"/","timeout_ns":0},"resources":{}}','[{"name":"build","took_ns":1500000000},{"name":"boot","took_ns":2100000000}]',1767323045123456789,1767323050123456789);
INSERT INTO releases VALUES('shop',2,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','change things','alice','push','live','','{"base":"node-22.23.1","node":"22.23.1","deps":{},"app":{"digest":"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee","size":4096},"start":["node","server.js"],"health":{"path":"/","timeout_ns":0},"resources":{}}','[{"name":"build","took_ns":1500000000},{"name":"boot","took_ns":2100000000}]',1767323105123456789,1767323110123456789);
INSERT INTO releases VALUES('shop',3,'cccccccccccccccccccccccccccccccccccccccc','change things','alice','push','building','','{"base":"","node":"","deps":{},"app":{},"start":null,"health":{"path":"","timeout_ns":0},"resources":{}}','null',1767323165123456789,NULL);
CREATE TABLE machines (
  id      TEXT    PRIMARY KEY CHECK (id <> ''),
  app     TEXT    NOT NULL,
  release INTEGER NOT NULL,
  addr    TEXT    NOT NULL,
  started INTEGER,
  FOREIGN KEY (app, release) REFERENCES releases (app, version)
) STRICT;
INSERT INTO machines VALUES('shop-v2-0a1b2c','shop',2,'127.0.0.1:40001',1767323225123456789);
CREATE TABLE keys (
  fingerprint TEXT    PRIMARY KEY CHECK (fingerprint LIKE 'SHA256:%'),
  name        TEXT    NOT NULL CHECK (name <> ''),
  public      TEXT    NOT NULL CHECK (public <> ''),
  admin       INTEGER NOT NULL CHECK (admin IN (0, 1)),
  added       INTEGER NOT NULL,
  last_used   INTEGER
) STRICT;
INSERT INTO keys VALUES('SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU','alice','ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',1,1767323225123456789,NULL);
CREATE TABLE entries (
  id     INTEGER PRIMARY KEY,
  time   INTEGER NOT NULL,
  app    TEXT    NOT NULL,
  actor  TEXT    NOT NULL,
  action TEXT    NOT NULL CHECK (action <> ''),
  detail TEXT    NOT NULL
) STRICT;
INSERT INTO entries VALUES(1,1767323225123456789,'shop','alice','app.create','');
INSERT INTO entries VALUES(2,1767323225123456789,'shop','alice','release.live','v2 bbbbbbb by push');
INSERT INTO entries VALUES(3,1767323225123456789,'','host','key.add','alice admin');
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('schema_versions',2);
CREATE UNIQUE INDEX releases_live ON releases (app) WHERE state = 'live';
CREATE INDEX releases_image ON releases (app, commit_id, version) WHERE state IN ('live', 'retired');
CREATE INDEX releases_unfinished ON releases (app, version) WHERE state IN ('building', 'booting');
CREATE INDEX entries_app ON entries (app, id);
COMMIT;

-- Times are nanoseconds since 1970 in UTC. NULL where the core has a zero
-- time: "not yet" must not sort before everything else.

-- +goose Up
CREATE TABLE apps (
  name    TEXT    PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 40 AND name NOT GLOB '*[^a-z0-9-]*'),
  branch  TEXT    NOT NULL,
  created INTEGER NOT NULL
) STRICT;

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

-- What is live is said once, here; an app's Live is read from it. The index
-- makes a second live release of an app impossible.
CREATE UNIQUE INDEX releases_live ON releases (app) WHERE state = 'live';
CREATE INDEX releases_image ON releases (app, commit_id, version) WHERE state IN ('live', 'retired');
CREATE INDEX releases_unfinished ON releases (app, version) WHERE state IN ('building', 'booting');

CREATE TABLE machines (
  id      TEXT    PRIMARY KEY CHECK (id <> ''),
  app     TEXT    NOT NULL,
  release INTEGER NOT NULL,
  addr    TEXT    NOT NULL,
  started INTEGER,
  FOREIGN KEY (app, release) REFERENCES releases (app, version)
) STRICT;

CREATE TABLE keys (
  fingerprint TEXT    PRIMARY KEY CHECK (fingerprint LIKE 'SHA256:%'),
  name        TEXT    NOT NULL CHECK (name <> ''),
  public      TEXT    NOT NULL CHECK (public <> ''),
  admin       INTEGER NOT NULL CHECK (admin IN (0, 1)),
  added       INTEGER NOT NULL,
  last_used   INTEGER
) STRICT;

-- The audit. An entry outlives the app and the key it speaks of, so neither
-- is a reference.
CREATE TABLE entries (
  id     INTEGER PRIMARY KEY,
  time   INTEGER NOT NULL,
  app    TEXT    NOT NULL,
  actor  TEXT    NOT NULL,
  action TEXT    NOT NULL CHECK (action <> ''),
  detail TEXT    NOT NULL
) STRICT;

CREATE INDEX entries_app ON entries (app, id);

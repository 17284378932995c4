-- The whole life of a release, who asked for it with which key, and which
-- release's image it boots. An app can be stopped, locked, renamed and
-- destroyed: what belongs to it follows its name.
--
-- A CHECK cannot be changed in place, so the two tables are made again. The
-- table of machines refers to that of releases, and goes first.

-- +goose Up
ALTER TABLE apps ADD COLUMN stopped     INTEGER NOT NULL DEFAULT 0 CHECK (stopped IN (0, 1));
ALTER TABLE apps ADD COLUMN lock_by     TEXT    NOT NULL DEFAULT '';
ALTER TABLE apps ADD COLUMN lock_reason TEXT    NOT NULL DEFAULT '';
ALTER TABLE apps ADD COLUMN lock_since  INTEGER;
-- The name before a rename whose files may not have followed yet.
ALTER TABLE apps ADD COLUMN was_named   TEXT    NOT NULL DEFAULT '';

CREATE TABLE releases2 (
  app       TEXT    NOT NULL REFERENCES apps (name) ON UPDATE CASCADE ON DELETE CASCADE,
  version   INTEGER NOT NULL CHECK (version > 0),
  commit_id TEXT    NOT NULL CHECK (length(commit_id) IN (40, 64) AND commit_id NOT GLOB '*[^0-9a-f]*'),
  subject   TEXT    NOT NULL,
  pusher    TEXT    NOT NULL,
  key       TEXT    NOT NULL DEFAULT '', -- fingerprint
  cause     TEXT    NOT NULL CHECK (cause <> ''),
  image_of  INTEGER NOT NULL DEFAULT 0 CHECK (image_of >= 0), -- version; 0: it was built
  state     TEXT    NOT NULL CHECK (state IN
              ('building', 'built', 'booting', 'healthy', 'live', 'draining', 'retired', 'failed')),
  reason    TEXT    NOT NULL,
  manifest  TEXT    NOT NULL CHECK (json_valid(manifest)),
  steps     TEXT    NOT NULL CHECK (json_valid(steps)),
  created   INTEGER NOT NULL,
  finished  INTEGER,
  PRIMARY KEY (app, version)
) STRICT;

INSERT INTO releases2 (app, version, commit_id, subject, pusher, cause, state, reason, manifest, steps, created, finished)
  SELECT app, version, commit_id, subject, pusher, cause, state, reason, manifest, steps, created, finished FROM releases;

CREATE TABLE machines2 (
  id      TEXT    PRIMARY KEY CHECK (id <> ''),
  app     TEXT    NOT NULL,
  release INTEGER NOT NULL,
  addr    TEXT    NOT NULL,
  started INTEGER,
  FOREIGN KEY (app, release) REFERENCES releases2 (app, version) ON UPDATE CASCADE ON DELETE CASCADE
) STRICT;

INSERT INTO machines2 SELECT id, app, release, addr, started FROM machines;
DROP TABLE machines;
DROP TABLE releases;
ALTER TABLE releases2 RENAME TO releases;
ALTER TABLE machines2 RENAME TO machines;

-- What is live is said once, here; an app's Live is read from it. The index
-- makes a second live release of an app impossible.
CREATE UNIQUE INDEX releases_live ON releases (app) WHERE state = 'live';
CREATE INDEX releases_image ON releases (app, commit_id, version) WHERE state IN ('live', 'draining', 'retired');
CREATE INDEX releases_unfinished ON releases (app, version)
  WHERE state IN ('building', 'built', 'booting', 'healthy', 'draining');
CREATE INDEX machines_release ON machines (app, release);

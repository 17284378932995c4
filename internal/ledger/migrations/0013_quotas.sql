-- Who has made an app: what it takes counts for them. NULL: the host, or somebody who is gone.
-- And what an app or a user may take; -1: any number.

-- +goose Up
ALTER TABLE apps ADD COLUMN owner TEXT REFERENCES users (name) ON UPDATE CASCADE ON DELETE SET NULL;

CREATE INDEX apps_owner ON apps (owner);

CREATE TABLE quotas (
  app     TEXT    REFERENCES apps (name) ON UPDATE CASCADE ON DELETE CASCADE,
  owner   TEXT    REFERENCES users (name) ON UPDATE CASCADE ON DELETE CASCADE,
  limited TEXT    NOT NULL CHECK (limited <> ''),
  most    INTEGER NOT NULL CHECK (most >= -1),
  UNIQUE (app, limited),
  UNIQUE (owner, limited),
  CHECK ((app IS NULL) <> (owner IS NULL))
) STRICT;

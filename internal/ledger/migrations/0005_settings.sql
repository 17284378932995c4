-- What people set for an app, beside what its repository says.

-- +goose Up
CREATE TABLE vars (
  app    TEXT NOT NULL REFERENCES apps (name) ON DELETE CASCADE ON UPDATE CASCADE,
  name   TEXT NOT NULL CHECK (name <> '' AND name NOT GLOB '*[^A-Za-z0-9_]*'),
  -- The value, sealed for this app and name with the key beside the ledger.
  sealed BLOB NOT NULL,
  PRIMARY KEY (app, name)
) STRICT;

CREATE TABLE overrides (
  app        TEXT    PRIMARY KEY REFERENCES apps (name) ON DELETE CASCADE ON UPDATE CASCADE,
  memory_mib INTEGER NOT NULL CHECK (memory_mib >= 0), -- 0: not set
  cpus       INTEGER NOT NULL CHECK (cpus >= 0)
) STRICT;

CREATE TABLE domains (
  host TEXT PRIMARY KEY CHECK (length(host) BETWEEN 3 AND 253 AND host NOT GLOB '*[^a-z0-9.-]*'),
  app  TEXT NOT NULL REFERENCES apps (name) ON DELETE CASCADE ON UPDATE CASCADE
) STRICT;

CREATE INDEX domains_app ON domains (app, host);

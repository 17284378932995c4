-- The digest with which each version of Node and of the package managers was taken first.

-- +goose Up
CREATE TABLE tools (
  name     TEXT NOT NULL,
  version  TEXT NOT NULL,
  digest   TEXT NOT NULL CHECK (digest <> ''),
  registry TEXT NOT NULL,
  signed   TEXT NOT NULL,
  agreed   TEXT NOT NULL,
  taken    INTEGER NOT NULL,
  by       TEXT NOT NULL,
  PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;

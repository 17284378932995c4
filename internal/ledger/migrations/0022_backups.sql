-- The plan of backups, and what became of the last planned one.

-- +goose Up
CREATE TABLE backup_plan (
  id       INTEGER PRIMARY KEY CHECK (id = 1),
  schedule TEXT    NOT NULL CHECK (schedule <> ''),
  dir      TEXT    NOT NULL CHECK (dir <> ''),
  keep     TEXT    NOT NULL CHECK (keep <> ''),
  secrets  INTEGER NOT NULL,
  layers   INTEGER NOT NULL,
  last     INTEGER NOT NULL,
  problem  TEXT    NOT NULL
) STRICT;

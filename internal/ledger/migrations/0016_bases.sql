-- Updates of the apps' bases, and when they happen by themselves. The documents are JSON of core.BaseUpdate, without its
-- moves, and of core.BaseMove.

-- +goose Up
CREATE TABLE base_updates (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  document TEXT NOT NULL CHECK (json_valid(document)),
  begun    INTEGER NOT NULL,
  ended    INTEGER
) STRICT;

CREATE TABLE base_moves (
  update_id INTEGER NOT NULL REFERENCES base_updates (id) ON DELETE CASCADE,
  app       TEXT NOT NULL REFERENCES apps (name) ON UPDATE CASCADE ON DELETE CASCADE,
  document  TEXT NOT NULL CHECK (json_valid(document)),
  PRIMARY KEY (update_id, app)
) STRICT, WITHOUT ROWID;

CREATE INDEX base_moves_app ON base_moves (app);

CREATE TABLE base_schedule (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  text TEXT NOT NULL,
  zone TEXT NOT NULL,
  by   TEXT NOT NULL
) STRICT;

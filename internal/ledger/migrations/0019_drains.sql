-- Who is sent what apps say (drains), and who is told what happens to them (webhooks). The URL of each, and the key of a
-- webhook's signature, are sealed; app is NULL for all apps; seen is the last entry of the audit that a webhook is done
-- with, sent and dead how many events it was told, and could not be told.

-- +goose Up
CREATE TABLE drains (
  id     TEXT    PRIMARY KEY,
  app    TEXT    REFERENCES apps (name) ON UPDATE CASCADE ON DELETE CASCADE,
  sealed BLOB    NOT NULL,
  builds INTEGER NOT NULL CHECK (builds IN (0, 1)),
  by     TEXT    NOT NULL,
  added  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX drains_app ON drains (app);

CREATE TABLE webhooks (
  id     TEXT    PRIMARY KEY,
  app    TEXT    REFERENCES apps (name) ON UPDATE CASCADE ON DELETE CASCADE,
  sealed BLOB    NOT NULL,
  events TEXT    NOT NULL CHECK (json_valid(events)),
  seen   INTEGER NOT NULL,
  sent   INTEGER NOT NULL DEFAULT 0,
  dead   INTEGER NOT NULL DEFAULT 0,
  by     TEXT    NOT NULL,
  added  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX webhooks_app ON webhooks (app);

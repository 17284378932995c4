-- What an operator lets an app reach beside the public internet, as a JSON list of rules, and how fast it may send:
-- bytes in a second; 0: as gitd serve says for all apps; -1: without a limit.

-- +goose Up
CREATE TABLE networks (
  app   TEXT    PRIMARY KEY REFERENCES apps (name) ON UPDATE CASCADE ON DELETE CASCADE,
  rules TEXT    NOT NULL CHECK (json_valid(rules)),
  rate  INTEGER NOT NULL CHECK (rate >= -1)
) STRICT;

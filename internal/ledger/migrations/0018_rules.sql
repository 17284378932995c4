-- What people have set for the front door of an app: passwords (their hashes), addresses, limits, maintenance, pages.

-- +goose Up
CREATE TABLE rules (
  app TEXT PRIMARY KEY REFERENCES apps (name) ON UPDATE CASCADE ON DELETE CASCADE,
  say TEXT NOT NULL CHECK (json_valid(say))
) STRICT;

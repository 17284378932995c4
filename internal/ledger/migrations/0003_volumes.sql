-- The disks of apps that outlive their machines. No ON DELETE: an app that
-- has one cannot be removed, whatever the code says.

-- +goose Up
CREATE TABLE volumes (
  id      TEXT    PRIMARY KEY CHECK (id <> '' AND id NOT GLOB '*[^a-z0-9-]*'),
  app     TEXT    NOT NULL REFERENCES apps (name) ON UPDATE CASCADE,
  name    TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 16 AND name NOT GLOB '*[^a-z0-9-]*'),
  mount   TEXT    NOT NULL CHECK (mount GLOB '/*'),
  size    INTEGER NOT NULL CHECK (size > 0),
  created INTEGER NOT NULL,
  UNIQUE (app, name),
  UNIQUE (app, mount)
) STRICT;

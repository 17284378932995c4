-- After how many milliseconds without a request an app falls asleep (null: as the server says it), and the machine that
-- it sleeps as (JSON's null: it is awake). The key of its file is sealed, and not in the document.

-- +goose Up
CREATE TABLE sleep (
  app    TEXT PRIMARY KEY REFERENCES apps (name) ON UPDATE CASCADE ON DELETE CASCADE,
  after  INTEGER CHECK (after >= 0),
  bed    TEXT NOT NULL DEFAULT 'null' CHECK (json_valid(bed)),
  sealed BLOB
) STRICT;

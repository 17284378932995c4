-- +goose Up
CREATE TABLE gitds (
  version TEXT NOT NULL,
  schema  INTEGER NOT NULL,
  since   INTEGER NOT NULL,
  PRIMARY KEY (version, schema)
) STRICT;

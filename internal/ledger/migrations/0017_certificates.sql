-- The certificates that people have set for hosts of their apps: the chain in PEM, and the private key, sealed.

-- +goose Up
CREATE TABLE certificates (
  host   TEXT PRIMARY KEY,
  app    TEXT NOT NULL REFERENCES apps (name) ON UPDATE CASCADE ON DELETE CASCADE,
  chain  TEXT NOT NULL CHECK (chain <> ''),
  sealed BLOB NOT NULL
) STRICT;
CREATE INDEX certificates_app ON certificates (app);

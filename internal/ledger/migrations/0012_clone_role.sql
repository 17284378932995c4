-- To fetch the source of an app is a role of its own: 1 view, 2 clone, 3 deploy, 4 admin. Until here, view allowed it,
-- and whoever had view keeps what it allowed. The tables are made again because their checks know three roles only.

-- +goose Up
DROP TRIGGER apps_removed;
DROP TRIGGER apps_renamed;

CREATE TABLE new_grants (
  name TEXT    NOT NULL REFERENCES users (name) ON UPDATE CASCADE ON DELETE CASCADE,
  app  TEXT    NOT NULL CHECK (app <> ''),
  role INTEGER NOT NULL CHECK (role BETWEEN 1 AND 4),
  PRIMARY KEY (name, app)
) STRICT, WITHOUT ROWID;
INSERT INTO new_grants SELECT name, app, role + 1 FROM grants;
DROP TABLE grants;
ALTER TABLE new_grants RENAME TO grants;

CREATE TABLE new_keys (
  fingerprint  TEXT    PRIMARY KEY CHECK (fingerprint LIKE 'SHA256:%'),
  name         TEXT    NOT NULL REFERENCES users (name) ON UPDATE CASCADE ON DELETE CASCADE,
  public       TEXT    NOT NULL CHECK (public <> ''),
  only_app     TEXT    NOT NULL, -- of a deploy key; empty: no limit
  only_role    INTEGER NOT NULL CHECK (only_role BETWEEN 0 AND 4 AND (only_role = 0) = (only_app = '')),
  added        INTEGER NOT NULL,
  expires      INTEGER,
  last_used    INTEGER,
  last_from    TEXT    NOT NULL,
  allowed_from TEXT    NOT NULL DEFAULT ''
) STRICT;
INSERT INTO new_keys SELECT fingerprint, name, public, only_app, iif(only_role = 0, 0, only_role + 1), added, expires, last_used,
  last_from, allowed_from FROM keys;
DROP TABLE keys;
ALTER TABLE new_keys RENAME TO keys;
CREATE INDEX keys_name ON keys (name);

CREATE TABLE new_invitations (
  hash    TEXT    PRIMARY KEY CHECK (length(hash) = 64),
  name    TEXT    NOT NULL UNIQUE, -- one open invitation each; empty: the claim
  admin   INTEGER NOT NULL CHECK (admin IN (0, 1)),
  app     TEXT    NOT NULL,
  role    INTEGER NOT NULL CHECK (role BETWEEN 0 AND 4),
  inviter TEXT    NOT NULL,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL
) STRICT;
INSERT INTO new_invitations SELECT hash, name, admin, app, iif(role = 0, 0, role + 1), inviter, created, expires FROM invitations;
DROP TABLE invitations;
ALTER TABLE new_invitations RENAME TO invitations;

-- +goose StatementBegin
CREATE TRIGGER apps_removed AFTER DELETE ON apps BEGIN
  DELETE FROM grants WHERE app = old.name;
  DELETE FROM keys WHERE only_app = old.name;
  DELETE FROM invitations WHERE app = old.name;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER apps_renamed AFTER UPDATE OF name ON apps WHEN old.name <> new.name BEGIN
  DELETE FROM grants WHERE app = new.name;
  DELETE FROM keys WHERE only_app = new.name;
  DELETE FROM invitations WHERE app = new.name;
  UPDATE grants SET app = new.name WHERE app = old.name;
  UPDATE keys SET only_app = new.name WHERE only_app = old.name;
  UPDATE invitations SET app = new.name WHERE app = old.name;
END;
-- +goose StatementEnd

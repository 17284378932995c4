-- People: whose a key is, and what its owner may.

-- +goose Up
CREATE TABLE users (
  name  TEXT    PRIMARY KEY CHECK (name <> ''),
  admin INTEGER NOT NULL CHECK (admin IN (0, 1)),
  added INTEGER NOT NULL
) STRICT;

-- A role may be given on an app before its first push makes it, so app is no
-- reference; the triggers below stand in for one.
CREATE TABLE grants (
  name TEXT    NOT NULL REFERENCES users (name) ON UPDATE CASCADE ON DELETE CASCADE,
  app  TEXT    NOT NULL CHECK (app <> ''),
  role INTEGER NOT NULL CHECK (role BETWEEN 1 AND 3),
  PRIMARY KEY (name, app)
) STRICT, WITHOUT ROWID;

-- Until here every key might deploy every app.
INSERT INTO users SELECT name, max(admin), min(added) FROM keys GROUP BY name;
INSERT INTO grants SELECT users.name, apps.name, 2 FROM users, apps WHERE NOT users.admin;

CREATE TABLE new_keys (
  fingerprint TEXT    PRIMARY KEY CHECK (fingerprint LIKE 'SHA256:%'),
  name        TEXT    NOT NULL REFERENCES users (name) ON UPDATE CASCADE ON DELETE CASCADE,
  public      TEXT    NOT NULL CHECK (public <> ''),
  only_app    TEXT    NOT NULL, -- of a deploy key; empty: no limit
  only_role   INTEGER NOT NULL CHECK (only_role BETWEEN 0 AND 3 AND (only_role = 0) = (only_app = '')),
  added       INTEGER NOT NULL,
  expires     INTEGER,
  last_used   INTEGER,
  last_from   TEXT    NOT NULL
) STRICT;
INSERT INTO new_keys SELECT fingerprint, name, public, '', 0, added, NULL, last_used, '' FROM keys;
DROP TABLE keys;
ALTER TABLE new_keys RENAME TO keys;
CREATE INDEX keys_name ON keys (name);

CREATE TABLE invitations (
  hash    TEXT    PRIMARY KEY CHECK (length(hash) = 64),
  name    TEXT    NOT NULL UNIQUE, -- one open invitation each; empty: the claim
  admin   INTEGER NOT NULL CHECK (admin IN (0, 1)),
  app     TEXT    NOT NULL,
  role    INTEGER NOT NULL CHECK (role BETWEEN 0 AND 3),
  inviter TEXT    NOT NULL,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL
) STRICT;

-- Whoever makes an app of the same name later must not find the roles of the
-- old one in force.
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
  UPDATE grants SET app = new.name WHERE app = old.name;
  UPDATE keys SET only_app = new.name WHERE only_app = old.name;
  UPDATE invitations SET app = new.name WHERE app = old.name;
END;
-- +goose StatementEnd

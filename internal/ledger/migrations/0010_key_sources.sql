-- From where a key may be used, as from= of authorized_keys; empty: from everywhere.

-- +goose Up
ALTER TABLE keys ADD COLUMN allowed_from TEXT NOT NULL DEFAULT '';

-- What was given for a name before there was an app of that name must not open the app that gets it by a rename: keys
-- and invitations for it stayed.
DROP TRIGGER apps_renamed;
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

-- How many machines of each process type somebody wants of an app, as JSON; and which process a machine is.

-- +goose Up
ALTER TABLE apps ADD COLUMN scale TEXT NOT NULL DEFAULT 'null' CHECK (json_valid(scale));
ALTER TABLE machines ADD COLUMN process TEXT NOT NULL DEFAULT 'web.1';

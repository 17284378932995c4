-- A variable that builds see too.

-- +goose Up
ALTER TABLE vars ADD COLUMN build INTEGER NOT NULL DEFAULT 0 CHECK (build IN (0, 1));

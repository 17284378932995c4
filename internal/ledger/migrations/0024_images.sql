-- A release whose image a collection has removed is one of thousands after years, and no collection needs to look at it
-- again.

-- +goose Up
ALTER TABLE releases ADD COLUMN image_gone INTEGER NOT NULL DEFAULT 0 CHECK (image_gone IN (0, 1));
CREATE INDEX releases_images ON releases (app, version) WHERE image_gone = 0 AND state NOT IN ('building', 'failed');

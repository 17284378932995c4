package core

import "time"

// BackupPlan is when backups are made by themselves, where they go, and what became of the last one.
type BackupPlan struct {
	Schedule string    // as cron has it, in UTC unless it begins with TZ=
	Dir      string    // a folder of the host
	Keep     string    // "7d,4w"
	Secrets  bool      // with the keys
	Layers   bool      // with the images
	Last     time.Time // when the last one was begun, or the plan was made
	Problem  string    // why that one failed; "": it did not
}

package core

// Overlap says what becomes of a scheduled run while the one before has not ended.
type Overlap string

// What a job can say of it.
const (
	OverlapSkip    Overlap = "skip"    // there is none
	OverlapAllow   Overlap = "allow"   // both run
	OverlapReplace Overlap = "replace" // the one before is ended
)

// MaxCronJobs bounds the jobs of one app.
const MaxCronJobs = 32

// CronJob is a command that runs on a schedule while its release is live.
type CronJob struct {
	Schedule string      `json:"schedule"`           // of cron, without a time zone
	Zone     string      `json:"timezone,omitempty"` // such as "Europe/Berlin"; "": UTC
	Command  string      `json:"command"`            // as its author wrote it
	Overlap  Overlap     `json:"overlap"`
	Run      []StartStep `json:"run"`
}

package core

// LogPosition is a place between two lines of an app's log, for a reader who comes again and goes on from there. The
// zero LogPosition is the beginning of what is kept.
type LogPosition struct {
	File   string `json:"file,omitempty"`   // which of the log's files, by what it begins with; empty: the oldest
	Offset int64  `json:"offset,omitempty"` // in bytes
	Line   int64  `json:"-"`                // as this process counts them; 0: unknown
}

// LogPage is some lines of a log, one after the other.
type LogPage struct {
	Lines  []Line
	Next   LogPosition // after them
	Behind int64       // lines that come after Next
	Lost   int64       // lines before these that are not kept any more; LostSome: their number is not known
}

// LostSome is the number of lost lines that nobody has counted.
const LostSome = -1

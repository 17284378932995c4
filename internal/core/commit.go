package core

// Commit is a commit in an app's repository.
type Commit struct {
	ID      string // full object name
	Subject string // first line of its message, printable
}

// RefChange is what is to become of the refs of an app.
type RefChange struct {
	Branch, Commit string    // a branch and where it goes, from wherever it is; empty: no branch moves
	Tags           []Command // each from Old to New
	Quarantine     string    // with objects that come into the repository before a ref moves; empty: none do
}

// RefMove is a RefChange that is ready to be made. One of the two must be called,
// once.
type RefMove interface {
	Commit() error // needs no room on the disk
	Abort()
}

// NoMove is the move of a branch that is there already, or that git itself
// will move.
type NoMove struct{}

// Commit implements RefMove.
func (NoMove) Commit() error { return nil }

// Abort implements RefMove.
func (NoMove) Abort() {}

package core

// Commit is a commit in an app's repository.
type Commit struct {
	ID      string // full object name
	Subject string // first line of its message, printable
}

// RefMove is a branch that is ready to move. One of the two must be called,
// once.
type RefMove interface {
	Commit() error // takes no room on the disk
	Abort()
}

// NoMove is the move of a branch that is there already, or that git itself
// will move.
type NoMove struct{}

// Commit implements RefMove.
func (NoMove) Commit() error { return nil }

// Abort implements RefMove.
func (NoMove) Abort() {}

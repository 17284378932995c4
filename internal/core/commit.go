package core

// Commit is a commit in an app's repository.
type Commit struct {
	ID      string // full object name
	Subject string // first line of its message, printable
}

// RefMove is the move of a branch that is ready to be done. Exactly one of its methods must be called, once.
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

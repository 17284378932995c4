package core

import "errors"

var (
	// ErrNotFound: the ledger or the driver knows nothing by that name.
	ErrNotFound = errors.New("not found")
	// ErrBadName: a name that no app may have.
	ErrBadName = errors.New("invalid app name")
	// ErrTaken: another app has that name.
	ErrTaken = errors.New("there is an app of that name already")
	// ErrTooMany: there are as many already as there may be.
	ErrTooMany = errors.New("there are as many already as there may be")
)

// Rejection is a failure that the person who asked can act on. Reason goes into git's reject line, so it is one short
// line. Hint, if it is not empty, says what to type or change; in a push it is printed above that line.
type Rejection struct {
	Reason string
	Hint   string
	Err    error // the cause, for the log; may be nil
}

func (r *Rejection) Error() string { return r.Reason }
func (r *Rejection) Unwrap() error { return r.Err }

// Reject makes a Rejection with a reason and a hint (which may be empty).
func Reject(reason, hint string) *Rejection { return &Rejection{Reason: reason, Hint: hint} }

// IgnoreMissing returns err, or nil if err is ErrNotFound.
func IgnoreMissing(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Package sleepers is what a fleet asks of whoever knows which apps sleep (package sleep). It owns the questions alone.
package sleepers

// Sleepers know which apps sleep: those whose machine was saved and ended, so that it can go on with the next request.
type Sleepers interface {
	Asleep(app string) bool
	// Barred is why requests do not wake an app that sleeps, for now; empty: they do.
	Barred(app string) string
	// Knock is told of a request for an app that sleeps.
	Knock(app string)
	// Over is told that an app does not sleep any more, whether it did or not: it has a machine, or is to have none.
	Over(app string)
	Rename(from, to string)
}

// None are the sleepers of a fleet in which no app sleeps.
type None struct{}

// Asleep implements Sleepers.
func (None) Asleep(string) bool { return false }

// Barred implements Sleepers.
func (None) Barred(string) string { return "" }

// Knock implements Sleepers.
func (None) Knock(string) {}

// Over implements Sleepers.
func (None) Over(string) {}

// Rename implements Sleepers.
func (None) Rename(string, string) {}

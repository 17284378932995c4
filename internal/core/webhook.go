package core

import "time"

// Webhook is a receiver that is told of what happens to an app, or to all apps and the host.
type Webhook struct {
	ID     string
	App    string // empty: all apps, and the host
	URL    string // a secret: it may hold a password or a token
	Key    []byte // of the signature; a secret
	Events []string
	Seen   int64 // the id of the last Entry that it is done with
	Sent   int64 // events that it was told
	Dead   int64 // events that it could not be told, and never will be
	By     string
	Added  time.Time
}

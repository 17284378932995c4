package core

// Counts are the requests for one app.
type Counts struct {
	Requests int64 // all that have come, including those that run or wait
	Active   int   // those that run now, including upgraded connections
	Held     int   // those that wait for the next machine
	// Answers counts the requests that have ended, by the class of their status: Answers[2] had 200 to 299. Answers[0]
	// got no answer: the client had gone, or the connection to the app broke.
	Answers [6]int64
}

// Conns are the connections of HTTP clients.
type Conns struct {
	Active, Idle int // with a request that runs, and without one
	Most         int
	TurnedAway   int64 // since the start, because there were too many
}

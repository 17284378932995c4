package core

// Counts are the requests for one app.
type Counts struct {
	Requests int64 // all that have come, those that run or wait included
	Active   int   // run now, upgraded connections included
	Held     int   // wait for the next machine
	// Answers are the requests that have ended, by the class of their status:
	// Answers[2] had 200 to 299. Answers[0] had none: the client had gone, or
	// the connection to the app broke.
	Answers [6]int64
}

package core

import "time"

// Task says that a machine runs one command to its end, and ends with it.
type Task struct {
	// Attached tasks exchange bytes with whoever waits for them: what they write comes as EventOutput, and a Tell gives
	// them input. The output of the others is lines, as that of an app.
	Attached bool
	Terminal *Size         // on which an attached task runs; nil: it has pipes
	Limit    time.Duration // after which its guest ends it, in case nobody else does; 0: never
}

// Tell is what an attached task is told. The fields that are set count.
type Tell struct {
	Input  []byte
	EOF    bool  // no more input follows
	Room   int   // so many more bytes of output may come; guest.DataRoom may from the start
	Signal int   // for its processes, as Linux counts signals
	Resize *Size // of its terminal
}

// Size is that of a terminal, in characters.
type Size struct {
	Columns int
	Rows    int
}

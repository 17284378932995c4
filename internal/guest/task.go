package guest

// This file is what is said of a task: a command that runs to its end, in a machine that ends with it.

const (
	// MaxData is how many bytes of a task's input or output are in one message.
	MaxData = 16 << 10
	// DataRoom is how many bytes of each may be on their way. Whoever sends waits for room, so that neither side ever
	// keeps more than that for the other.
	DataRoom = 128 << 10
)

// Task says that what is started is not a server: nothing waits until it listens, it is not started again, and the
// machine powers off after its end.
type Task struct {
	// Attached tasks read what the host sends as Input, and what they write is sent as it is, as Output. The others
	// have no input, and their output is lines (Log).
	Attached bool `json:"attached,omitempty"`
	// Terminal is the size of the terminal on which an attached task runs; nil: it has pipes.
	Terminal *Size `json:"terminal,omitempty"`
	// LimitMillis is after which time the guest ends the task by itself, in case no gitd does; 0: never.
	LimitMillis int64 `json:"limit_ms,omitempty"`
}

// Input is the next part of a task's standard input.
type Input struct {
	Data []byte `json:"data,omitempty"`
	EOF  bool   `json:"eof,omitempty"` // nothing follows
}

// Output is the next part of what a task has written.
type Output struct {
	Stream string `json:"stream"` // "stdout", also of a terminal, or "stderr"
	Data   []byte `json:"data"`
}

// Room is how many more bytes may be sent. The guest has DataRoom for input when it first says so, and the host has
// DataRoom for output from the start.
type Room struct {
	Bytes int `json:"bytes"`
}

// Signal is for all processes of a task.
type Signal struct {
	Number int `json:"number"` // as Linux counts them
}

// Size is that of a terminal, in characters.
type Size struct {
	Columns int `json:"columns"`
	Rows    int `json:"rows"`
}

package bases

import "io"

// progress is where an update prints what it does: beside the answer, if that is for a program.
func (c commands) progress(asJSON bool) io.Writer {
	if asJSON {
		return c.Err
	}
	return c.Out
}

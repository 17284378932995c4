package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// capture reads the app's output to its end, line by line, and closes it. It never waits for the host, so the app never
// waits either.
func capture(f *os.File, line func(text string)) {
	defer f.Close()
	splitLines(f, line)
}

// splitLines calls line for each line of r. A line longer than guest.MaxLine comes in parts.
func splitLines(r io.Reader, line func(text string)) {
	b := bufio.NewReaderSize(r, guest.MaxLine)
	for {
		part, err := b.ReadSlice('\n')
		if err == nil || len(part) > 0 {
			line(string(bytes.TrimRight(part, "\r\n")))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

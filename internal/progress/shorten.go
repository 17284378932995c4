package progress

import (
	"bytes"
	"unicode/utf8"
)

// Shorten keeps the beginning and the end of a long text: a hostile name must not fill the line that names it. It cuts
// between letters.
func Shorten(s string) string {
	const most = 80 // bytes
	if len(s) <= most {
		return s
	}
	head, tail := most/2, len(s)-most/2
	for head > most/2-utf8.UTFMax && !utf8.RuneStart(s[head]) {
		head--
	}
	for tail < len(s) && !utf8.RuneStart(s[tail]) {
		tail++
	}
	return s[:head] + "…" + s[tail:]
}

// LastLine is the last line that a program printed: mostly it says why the program failed.
func LastLine(out []byte) string {
	out = bytes.TrimSpace(out)
	return string(out[bytes.LastIndexByte(out, '\n')+1:])
}

package progress

import "bytes"

// Shorten keeps the beginning and the end of a text that somebody else wrote, such as a file's name, so that it does
// not fill the line in which it is named.
func Shorten(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return s[:most/2] + "…" + s[len(s)-most/2:]
}

// LastLine is the last line that a program printed: mostly it says why the program failed.
func LastLine(out []byte) string {
	out = bytes.TrimSpace(out)
	return string(out[bytes.LastIndexByte(out, '\n')+1:])
}

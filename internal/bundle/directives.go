package bundle

import "bytes"

// firstStatement is where the first statement begins that is no directive: after a first line for a shell, comments,
// and statements that are only a text. ok is false if that cannot be told.
func firstStatement(text []byte) (at int, ok bool) {
	if bytes.HasPrefix(text, []byte("#!")) {
		at = lineEnd(text, 0)
	}
	for {
		if at, ok = skipBlank(text, at); !ok {
			return 0, false
		}
		end, is, ok := directive(text, at)
		if !is || !ok {
			return at, ok
		}
		at = end
	}
}

func lineEnd(text []byte, at int) int {
	if n := bytes.IndexByte(text[at:], '\n'); n >= 0 {
		return at + n + 1
	}
	return len(text)
}

// skipBlank goes over white space and comments.
func skipBlank(text []byte, at int) (next int, ok bool) {
	for at < len(text) {
		switch rest := text[at:]; {
		case bytes.ContainsRune([]byte(" \t\r\n\f\v"), rune(rest[0])):
			at++
		case bytes.HasPrefix(rest, []byte("\ufeff")):
			at += len("\ufeff")
		case bytes.HasPrefix(rest, []byte("//")):
			at = lineEnd(text, at)
		case bytes.HasPrefix(rest, []byte("/*")):
			n := bytes.Index(rest[2:], []byte("*/"))
			if n < 0 {
				return 0, false
			}
			at += n + 4
		default:
			return at, true
		}
	}
	return at, true
}

// directive reads a text that is a statement by itself, with its semicolon. A text that begins an expression is none,
// and where only the next line says which it is, ok is false.
func directive(text []byte, at int) (end int, is, ok bool) {
	if at == len(text) || text[at] != '"' && text[at] != '\'' {
		return at, false, true
	}
	n := bytes.IndexByte(text[at+1:], text[at])
	if n < 0 || bytes.ContainsAny(text[at+1:at+1+n], "\\\n") {
		return at, false, false
	}
	end, ok = skipBlank(text, at+n+2)
	switch {
	case !ok:
		return at, false, false
	case end == len(text):
		return at, false, false // nothing but directives: there is no statement to load something for
	case text[end] == ';':
		return end + 1, true, true
	case !bytes.ContainsRune(text[at+n+2:end], '\n'):
		return at, false, true // "text".split(…)
	}
	// Without a semicolon, a name or a text in the next line begins a statement; anything else may go on with this one.
	c := text[end]
	begins := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$' || c == '"' || c == '\''
	return end, begins, begins && !bytes.HasPrefix(text[end:], []byte("in")) // also instanceof
}

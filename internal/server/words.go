package server

import (
	"errors"
	"strings"
)

// maxCommand bounds a command line, in bytes. Longer values come on standard
// input: config:import.
const maxCommand = 64 << 10

var (
	errOpenQuote = errors.New("a quote is not closed")
	errLongLine  = errors.New("the command line is longer than 64 KiB; give large values on standard input")
)

// split cuts a command line into words, as a shell would that knows quotes
// and backslashes and nothing else: a client sends one string, and ssh and
// git have quoted for a shell what they were given. Whatever else means
// something to a shell ($ ; | & * ~) is an ordinary character here.
//
// Not the splitter of gliderlabs/ssh: that one drops empty words, keeps what
// it has of a broken line, and takes a second for a word of 64 KiB.
func split(line string) ([]string, error) {
	if len(line) > maxCommand {
		return nil, errLongLine
	}
	var words []string
	s := splitter{rest: line}
	for s.skip() {
		w, err := s.word()
		if err != nil {
			return nil, err
		}
		words = append(words, w)
	}
	return words, nil
}

const (
	blanks = " \t\r\n"
	plain  = blanks + `'"\` // what ends a run of ordinary characters
)

type splitter struct{ rest string }

// skip passes over blanks and reports whether a word follows.
func (s *splitter) skip() bool {
	s.rest = strings.TrimLeft(s.rest, blanks)
	return s.rest != ""
}

// take removes and returns what stands before the first of the characters
// in set, or everything.
func (s *splitter) take(set string) string {
	n := strings.IndexAny(s.rest, set)
	if n < 0 {
		n = len(s.rest)
	}
	t := s.rest[:n]
	s.rest = s.rest[n:]
	return t
}

func (s *splitter) word() (string, error) {
	var b strings.Builder
	for s.rest != "" && !strings.ContainsRune(blanks, rune(s.rest[0])) {
		var err error
		switch s.rest[0] {
		case '\'':
			err = s.single(&b)
		case '"':
			err = s.double(&b)
		case '\\':
			err = s.escaped(&b, "")
		default:
			b.WriteString(s.take(plain))
		}
		if err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// single: everything up to the next quote is itself.
func (s *splitter) single(b *strings.Builder) error {
	s.rest = s.rest[1:]
	b.WriteString(s.take(`'`))
	return s.closing()
}

// double: a backslash escapes what would else mean something to a shell.
func (s *splitter) double(b *strings.Builder) error {
	s.rest = s.rest[1:]
	for {
		b.WriteString(s.take(`"\`))
		if !strings.HasPrefix(s.rest, `\`) {
			return s.closing()
		}
		if err := s.escaped(b, "\"\\$`"); err != nil {
			return err
		}
	}
}

// escaped reads a backslash and the character behind it. Where only some can
// be escaped, the backslash before another one stays.
func (s *splitter) escaped(b *strings.Builder, only string) error {
	if len(s.rest) < 2 {
		return errOpenQuote
	}
	if only != "" && !strings.Contains(only, s.rest[1:2]) {
		b.WriteByte('\\')
	}
	b.WriteByte(s.rest[1])
	s.rest = s.rest[2:]
	return nil
}

func (s *splitter) closing() error {
	if s.rest == "" {
		return errOpenQuote
	}
	s.rest = s.rest[1:]
	return nil
}

// Package rfc5424 is how a message of syslog is written and sent to one receiver.
//
// It owns the form of a message (RFC 5424), the counting of messages in a stream (RFC 6587 and RFC 5425), and a
// connection that notices when its receiver has closed it. It does not own what a message says, nor what becomes of one
// that cannot be sent: that stands with those who send (packages syslog and drain).
//
// The writers that there are were rejected: log/syslog of the standard library writes the older form without fields,
// and waits for its receiver; the builder of github.com/leodido/go-syslog drops every value that it cannot write, such
// as one with a quote, without an error. Its parser reads our messages in the tests.
package rfc5424

import (
	"fmt"
	"strings"
	"time"
)

// Element is the name of our fields. 32473 is the number that RFC 5612 gives to those who have none of their own.
const Element = "gitd@32473"

// Severities of RFC 5424, section 6.2.1.
const (
	Warning = 4
	Notice  = 5
	Info    = 6
)

// Field is a name of ours and a value of anybody's.
type Field struct{ Name, Value string }

// Message is one message. What stands in the header is cut to what a header takes; fields without a value are left out.
type Message struct {
	Facility, Severity int
	Time               time.Time
	Host               string // the machine that says it
	App                string // the program
	Process            string
	ID                 string // the kind of message
	Fields             []Field
	Text               string // UTF-8, one line; the caller has seen to that
}

// Append writes m.
func (m Message) Append(buf []byte) []byte {
	buf = fmt.Appendf(buf, "<%d>1 %s %s %s %s %s ", m.Facility*8+m.Severity, m.Time.UTC().Format("2006-01-02T15:04:05.000000Z"),
		Word(m.Host, 255), Word(m.App, 48), Word(m.Process, 128), Word(m.ID, 32))
	data := len(buf)
	for _, x := range m.Fields {
		if x.Value != "" {
			buf = fmt.Appendf(buf, ` %s="%s"`, x.Name, escaper.Replace(x.Value))
		}
	}
	if len(buf) == data {
		buf = append(buf, '-')
	} else {
		buf = fmt.Appendf(buf[:data], "[%s%s]", Element, string(buf[data:]))
	}
	return append(append(buf, ' '), m.Text...)
}

// escaper writes a value between quotes (section 6.3.3).
var escaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`)

// Word is s as a field of the header: printable ASCII without spaces, or "-" for nothing.
func Word(s string, most int) string {
	s = strings.Map(func(c rune) rune {
		if c <= ' ' || c > '~' {
			return -1
		}
		return c
	}, s)
	if s == "" {
		return "-"
	}
	return s[:min(len(s), most)]
}

// Frame appends a message with its count, so that what a stream holds of it cannot be read in another way (RFC 6587,
// section 3.4.1).
func Frame(buf, m []byte) []byte { return append(fmt.Appendf(buf, "%d ", len(m)), m...) }

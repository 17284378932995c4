// Package access is the log of the requests that the front door has answered, one JSON object a line.
//
// It owns the form of a line, and the file that has the lines of all apps. It does not own the log of each app (package
// applog), nor what became of a request (package proxy).
package access

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/proxy"
)

// The longest that parts of a line may be, in bytes. A client chooses what is in them. Together they are less than a
// line of applog may have.
const (
	maxWord = 256
	maxPath = 4096
	maxText = 2048
)

// Line is the object of r: printable ASCII, without a newline. With query, it holds what came after the question mark,
// in which there may be secrets.
func Line(r proxy.Request, query bool) []byte {
	b := make(object, 0, 768)
	b = append(b, `{"time":"`...)
	b = r.Begun.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = append(b, '"')
	b = b.text("request_id", r.ID, maxWord).text("app", r.App, maxWord)
	b = b.text("method", r.Method, maxWord).text("scheme", r.Scheme, maxWord).text("host", r.Host, maxWord).text("path", r.Path, maxPath)
	if query && r.Query != "" {
		b = b.text("query", r.Query, maxText)
	}
	b = b.number("status", int64(r.Status)).number("bytes_in", r.In).number("bytes_out", r.Out)
	b = append(b, `,"duration_ms":`...)
	b = strconv.AppendFloat(b, float64(r.Took.Round(10*time.Microsecond))/float64(time.Millisecond), 'f', -1, 64)
	b = b.text("client", r.Client.String(), maxWord).text("protocol", r.Proto, maxWord).text("tls", r.TLS, maxWord)
	b = b.text("user_agent", r.Agent, maxText).text("referer", r.Referer, maxText).text("machine", r.Machine, maxWord).text("user", r.User, maxWord)
	return append(b, '}')
}

// Each passes the line of each request on to the log of its app.
func Each(to func(app string, l core.Line), query bool) func(proxy.Request) {
	return func(r proxy.Request) {
		if r.App != "" {
			to(r.App, core.Line{Time: time.Now(), Stream: core.AccessStream, Text: string(Line(r, query))})
		}
	}
}

// object is a JSON object that is being written.
type object []byte

func (b object) number(name string, n int64) object {
	return strconv.AppendInt(append(append(append(b, `,"`...), name...), `":`...), n, 10)
}

// text writes a string in printable ASCII: whatever shows the line shows no other bytes of a client. Rejected:
// encoding/json, which leaves the rest of Unicode as it is, bidirectional marks included, and has no limit.
func (b object) text(name, value string, limit int) object {
	b = append(append(append(b, `,"`...), name...), `":"`...)
	for end := len(b) + limit; value != ""; {
		if len(b) >= end {
			b = append(b, `\u2026`...)
			break
		}
		c, size := utf8.DecodeRuneInString(value)
		value = value[size:]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case ' ' <= c && c <= '~':
			b = append(b, byte(c))
		case c > 0xffff: // two halves, as JSON wants it
			c -= 0x10000
			b = b.escape(0xd800 + c>>10).escape(0xdc00 + c&0x3ff)
		default:
			b = b.escape(c)
		}
	}
	return append(b, '"')
}

func (b object) escape(c rune) object {
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', hex[c>>12&15], hex[c>>8&15], hex[c>>4&15], hex[c&15])
}

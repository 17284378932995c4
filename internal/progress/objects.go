package progress

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"time"
)

// Objects turns the lines of Reports into JSON, one object a line, for programs that push:
//
//	{"time":"2027-01-31T08:00:00.123Z","type":"step","text":"Packing"}
//
// The types are step, detail, warning, done, and output for a line that no Report has made. It is not safe for
// concurrent use; a Report that writes to it is.
type Objects struct {
	w    io.Writer
	rest []byte // of a line that has not ended
}

// NewObjects writes to w.
func NewObjects(w io.Writer) *Objects { return &Objects{w: w} }

// line is one object.
type line struct {
	Time time.Time `json:"time"`
	Type string    `json:"type"`
	Text string    `json:"text"`
}

// forms are what the lines of a Report begin with.
var forms = []struct{ prefix, kind string }{
	{"-----> ", "step"}, {"       ", "detail"}, {" !     ", "warning"}, {"=====> ", "done"},
}

// Write implements io.Writer. The error is that of w.
func (o *Objects) Write(p []byte) (int, error) {
	o.rest = append(o.rest, p...)
	for {
		text, rest, whole := bytes.Cut(o.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		if err := o.line(string(text)); err != nil {
			return 0, err
		}
		o.rest = rest
	}
}

func (o *Objects) line(text string) error {
	l := line{Time: now(), Type: "output", Text: text}
	for _, f := range forms {
		if rest, ok := strings.CutPrefix(text, f.prefix); ok {
			l.Type, l.Text = f.kind, rest
			break
		}
	}
	return o.Put(l)
}

// Put writes another object.
func (o *Objects) Put(v any) error {
	e := json.NewEncoder(o.w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// now is in the form in which all objects have their time.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

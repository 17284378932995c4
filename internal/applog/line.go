package applog

import (
	"strconv"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// maxText is the longest text that is kept, in bytes.
const maxText = 16 << 10

// ours is the stream of the lines that gitd itself adds.
const ours = "nodeos"

// clean makes a line from a machine fit for one line of a file and for a terminal.
func clean(l core.Line) core.Line {
	if len(l.Text) > maxText {
		l.Text = l.Text[:maxText]
	}
	if strings.ContainsAny(l.Text, "\r\n") {
		l.Text = strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ").Replace(l.Text)
	}
	l.Text = progress.Printable(l.Text)
	if !isWord(l.Stream) {
		l.Stream = ours
	}
	if new(core.ProcessID).UnmarshalText([]byte(l.Process)) != nil {
		l.Process = ""
	}
	// A guest's clock can be anything, and RFC 3339 ends with the year 9999.
	if y := l.Time.UTC().Year(); y < 1970 || y > 9999 {
		l.Time = time.Now()
	}
	l.Time = l.Time.UTC().Round(0)
	return l
}

func isWord(s string) bool {
	return s != "" && len(s) <= 16 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") == ""
}

// encode appends "TIME vRELEASE STREAM TEXT\n" to buf, or "TIME vRELEASE/PROCESS STREAM TEXT\n".
func encode(buf []byte, l core.Line) []byte {
	buf = l.Time.AppendFormat(buf, time.RFC3339Nano)
	buf = append(buf, " v"...)
	buf = strconv.AppendInt(buf, int64(l.Release), 10)
	if l.Process != "" {
		buf = append(append(buf, '/'), l.Process...)
	}
	buf = append(buf, ' ')
	buf = append(buf, l.Stream...)
	buf = append(buf, ' ')
	buf = append(buf, l.Text...)
	return append(buf, '\n')
}

// decode reads a line that encode wrote, without the newline. A line that was cut off by a crash is not ok. The name of
// the machine is not stored: the release says enough.
func decode(s string) (l core.Line, ok bool) {
	at, s, _ := strings.Cut(s, " ")
	release, s, _ := strings.Cut(s, " ")
	release, process, _ := strings.Cut(release, "/")
	stream, text, found := strings.Cut(s, " ")
	number, isVersion := strings.CutPrefix(release, "v")
	version, err := strconv.Atoi(number)
	if !found || !isVersion || err != nil || !isWord(stream) || new(core.ProcessID).UnmarshalText([]byte(process)) != nil {
		return core.Line{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		return core.Line{}, false
	}
	return core.Line{Time: t.UTC(), Release: version, Process: process, Stream: stream, Text: text}, true
}

// note returns a line that gitd itself adds.
func note(release int, text string) core.Line {
	return clean(core.Line{Time: time.Now(), Release: release, Stream: ours, Text: text})
}

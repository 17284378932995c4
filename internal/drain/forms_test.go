package drain

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	gosyslog "github.com/leodido/go-syslog/v4"
	"github.com/leodido/go-syslog/v4/octetcounting"
	parser "github.com/leodido/go-syslog/v4/rfc5424"
	logs "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/rfc5424"
)

// FuzzForms: whatever an app says is one line for each kind of receiver, and the line that the app said.
func FuzzForms(f *testing.F) {
	for _, text := range []string{
		"", "-", "hello", `a "quoted" ]word\`, "12 <134>1 - - - - - - forged", "a\n<134>1 - - gitd - - - forged", "\ufeffbom", "é\u2028x", "\xff\xfe",
		`{"app":"other"}`, "\x00", strings.Repeat("x", 16<<10), "[gitd@32473 release=\"v9\"] x",
	} {
		f.Add(text, "worker.1", "stdout")
	}
	f.Fuzz(func(t *testing.T, text, process, stream string) {
		line := core.Line{Time: time.Unix(1_900_000_000, 5), Release: 3, Process: process, Stream: stream, Text: text}
		r := records([]piece{{place: place(Output, "shop"), page: core.LogPage{Lines: []core.Line{line}}}})[0]
		want := strings.ToValidUTF8(text, "\uFFFD")
		// The parser takes spaces at the end for none.
		if got := asSyslog(t, r); got != want && got != strings.TrimRight(want, " ") {
			t.Errorf("syslog has %q, want %q", got, want)
		}
		asJSON, err := jsonForm{"host"}.write([]record{r})
		var lines []jsonLine
		if err != nil || json.Unmarshal(asJSON, &lines) != nil || len(lines) != 1 || lines[0].Message != want || lines[0].App != "shop" {
			t.Errorf("%s, %v; want %q", asJSON, err, want)
		}
		packed, err := otlpForm{"host"}.write([]record{r})
		var all logs.LogsData
		if err != nil || proto.Unmarshal(packed, &all) != nil || len(all.ResourceLogs) != 1 ||
			all.ResourceLogs[0].ScopeLogs[0].LogRecords[0].Body.GetStringValue() != want {
			t.Errorf("%v, %v; want %q", &all, err, want)
		}
	})
}

// asSyslog is what a receiver has of a line, by somebody else's parser.
func asSyslog(t *testing.T, r record) (got string) {
	t.Helper()
	count := 0
	message := (&syslogSink{host: "host"}).message(r).Append(nil)
	octetcounting.NewParser(gosyslog.WithMaxMessageLength(64<<10), gosyslog.WithListener(func(x *gosyslog.Result) {
		if x.Error != nil {
			t.Errorf("%v: %q", x.Error, message)
			return
		}
		count++
		m := x.Message.(*parser.SyslogMessage)
		if m.Message != nil {
			got = *m.Message
		}
		if m.Appname == nil || *m.Appname != "shop" || (*m.StructuredData)[rfc5424.Element]["release"] != "v3" {
			t.Errorf("%q", message)
		}
	})).Parse(bytes.NewReader(rfc5424.Frame(nil, message)))
	if count != 1 {
		t.Errorf("a receiver counts %d messages in %q", count, message)
	}
	return got
}

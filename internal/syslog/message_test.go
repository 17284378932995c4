package syslog

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	gosyslog "github.com/leodido/go-syslog/v4"
	"github.com/leodido/go-syslog/v4/octetcounting"
	parser "github.com/leodido/go-syslog/v4/rfc5424"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/rfc5424"
)

// read is what a receiver makes of a message: somebody else's parser.
func read(t testing.TB, m []byte) *parser.SyslogMessage {
	t.Helper()
	parsed, err := parser.NewParser().Parse(m)
	if err != nil {
		t.Fatalf("%v: %q", err, m)
	}
	return parsed.(*parser.SyslogMessage)
}

func TestMessage(t *testing.T) {
	f := form{"host.example", "42"}
	at := time.Date(2027, 1, 31, 8, 0, 0, 123456789, time.UTC)
	for want, got := range map[string][]byte{
		`<86>1 2027-01-31T08:00:00.123456Z host.example gitd 42 config.read [gitd@32473 id="7" actor="ada" app="shop" detail="A, B"] config.read id=7 actor=ada app=shop`: f.entry(
			core.Entry{ID: 7, Time: at, App: "shop", Actor: "ada", Action: "config.read", Detail: "A, B"}),
		`<84>1 2027-01-31T08:00:00.123456Z host.example gitd 42 login [gitd@32473 result="refused" actor="root" from="192.0.2.1:22"] login result=refused actor=root from=192.0.2.1:22 app=""`: f.event(
			audit.Event{Time: at, Action: "login", Result: audit.Refused, Actor: "root", From: "192.0.2.1:22"}),
	} {
		if string(got) != want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
		read(t, got)
	}
}

// hostile are values that a stranger chooses, to make a line or a field that gitd has not written.
var hostile = []string{
	`root"] [gitd@32473 result="ok`, `x" result="ok`, `a\`, `a\"`, `]`, "a\n<86>1 - - gitd - login [gitd@32473 result=\"ok\"]", "a\r\nb",
	"root result=ok", "\x00", "\x1b[2K", "\xff\xfe", "\u2028x", "\u0085x", "\u202e", strings.Repeat(`"`, 5000), strings.Repeat("é", 5000), "-", "",
}

// TestNothingIsForged: whoever chooses their name, the name of their client, a ref or the name of an app writes no line
// and no field of the log.
func TestNothingIsForged(t *testing.T) {
	for _, v := range hostile {
		forged(t, v)
	}
}

func FuzzNothingIsForged(f *testing.F) {
	for _, v := range hostile {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) { forged(t, v) })
}

var (
	quotes = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	people = regexp.MustCompile(`^login result=refused actor=[^ =]+ from=[^ =]+ app=[^ =]+$`)
)

// forged writes v into every field that somebody else chooses.
func forged(t testing.TB, v string) {
	t.Helper()
	m := form{rfc5424.Word(v, 255), "42"}.event(audit.Event{Time: time.Now(), Action: "login", Result: audit.Refused, Actor: v, From: v, App: v, Detail: v})
	if len(m) > 2048+255 || !utf8.Valid(m) || strings.ContainsAny(string(m), "\n\r\x00\x1b\u0085\u2028") {
		t.Fatalf("%d bytes: %q", len(m), m)
	}
	got := read(t, m)
	fields := (*got.StructuredData)[rfc5424.Element]
	want := map[string]string{"result": "refused", "actor": clean(v, maxValue), "from": clean(v, maxValue), "app": clean(v, maxValue), "detail": clean(v, maxDetail)}
	for name, value := range want {
		if fields[name] != value {
			t.Errorf("%s is %q, want %q: %q", name, fields[name], value, m)
		}
	}
	if len(*got.StructuredData) != 1 || *got.Priority != authpriv*8+rfc5424.Warning {
		t.Errorf("%q", m)
	}
	if shown := quotes.ReplaceAllString(*got.Message, "V"); !people.MatchString(shown) {
		t.Errorf("for people: %q", *got.Message)
	}
	count := 0
	octetcounting.NewParser(gosyslog.WithListener(func(r *gosyslog.Result) { count++ })).Parse(bytes.NewReader(rfc5424.Frame(nil, m)))
	if count != 1 {
		t.Errorf("a receiver counts %d messages in %q", count, rfc5424.Frame(nil, m))
	}
}

package syslog

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Facility and severities of RFC 5424, section 6.2.1.
const (
	authpriv = 10
	warning  = 4
	info     = 6
)

// element is the name of our fields. 32473 is the number that RFC 5612 gives to those who have none of their own.
const element = "gitd@32473"

// Bounds of the values, in bytes: a whole message stays below the 2,048 that receivers should take. What is left out
// stands in the audit.
const (
	maxDetail = 420
	maxValue  = 75
)

// detail is the longest field. It is not repeated for people.
const detail = "detail"

// field is a name of ours and a value of anybody's.
type field struct{ name, value string }

// form is what all messages of this process have in common.
type form struct{ host, pid string }

func newForm() form {
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	return form{host: word(host, 255), pid: strconv.Itoa(os.Getpid())}
}

// entry is an entry of the audit as a message.
func (f form) entry(e core.Entry) []byte {
	return f.message(info, e.Time, e.Action, []field{
		{"id", strconv.FormatInt(e.ID, 10)}, {"actor", e.Actor}, {"app", e.App}, {detail, e.Detail},
	})
}

// event is an event of a door as a message.
func (f form) event(e audit.Event) []byte {
	severity := info
	if e.Result != audit.OK {
		severity = warning
	}
	return f.message(severity, e.Time, e.Action, []field{
		{"result", string(e.Result)}, {"actor", e.Actor}, {"from", e.From}, {"app", e.App}, {detail, e.Detail},
	})
}

// message writes fields, and behind them the same for people. Fields without a value are left out.
func (f form) message(severity int, at time.Time, action string, fields []field) []byte {
	var data, text strings.Builder
	for _, x := range fields {
		if x.name == detail {
			x.value = clean(x.value, maxDetail)
		} else {
			x.value = clean(x.value, maxValue)
			fmt.Fprintf(&text, " %s=%s", x.name, quote(x.value))
		}
		if x.value != "" {
			fmt.Fprintf(&data, ` %s="%s"`, x.name, escape(x.value))
		}
	}
	return fmt.Appendf(nil, "<%d>1 %s %s gitd %s %s [%s%s] %s%s", authpriv*8+severity, at.UTC().Format("2006-01-02T15:04:05.000000Z"),
		f.host, f.pid, word(action, 32), element, data.String(), word(action, 32), text.String())
}

// clean makes a value one short line of printable text: no value begins a line of its own, wherever it is written.
func clean(s string, most int) string {
	s = progress.Printable(strings.ToValidUTF8(strings.ReplaceAll(s, "\n", " "), ""))
	if len(s) <= most {
		return s
	}
	cut := most
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// plain are the characters of values that people read without quotes.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:/@[]"

// quote writes a value for people: no value looks like another field.
func quote(s string) string {
	if strings.Trim(s, plain) == "" && s != "" {
		return s
	}
	return strconv.Quote(s)
}

// escape writes a value between quotes (section 6.3.3).
func escape(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`).Replace(s) }

// word is s as a field of the header: printable ASCII without spaces, or "-" for nothing.
func word(s string, most int) string {
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

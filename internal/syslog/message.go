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
	"github.com/nodeos-dev/gitd/internal/rfc5424"
)

// authpriv is the facility (RFC 5424, section 6.2.1).
const authpriv = 10

// Bounds of the values, in bytes: a whole message stays below the 2,048 that receivers should take. What is left out
// stands in the audit.
const (
	maxDetail = 420
	maxValue  = 75
)

// detail is the longest field. It is not repeated for people.
const detail = "detail"

// form is what all messages of this process have in common.
type form struct{ host, pid string }

func newForm() form {
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	return form{host: rfc5424.Word(host, 255), pid: strconv.Itoa(os.Getpid())}
}

// entry is an entry of the audit as a message.
func (f form) entry(e core.Entry) []byte {
	return f.message(rfc5424.Info, e.Time, e.Action, []rfc5424.Field{
		{Name: "id", Value: strconv.FormatInt(e.ID, 10)}, {Name: "actor", Value: e.Actor}, {Name: "app", Value: e.App}, {Name: detail, Value: e.Detail},
	})
}

// event is an event of a door as a message.
func (f form) event(e audit.Event) []byte {
	severity := rfc5424.Info
	if e.Result != audit.OK {
		severity = rfc5424.Warning
	}
	return f.message(severity, e.Time, e.Action, []rfc5424.Field{
		{Name: "result", Value: string(e.Result)}, {Name: "actor", Value: e.Actor}, {Name: "from", Value: e.From}, {Name: "app", Value: e.App}, {Name: detail, Value: e.Detail},
	})
}

// message writes fields, and behind them the same for people.
func (f form) message(severity int, at time.Time, action string, fields []rfc5424.Field) []byte {
	var text strings.Builder
	text.WriteString(rfc5424.Word(action, 32))
	for i, x := range fields {
		if x.Name == detail {
			fields[i].Value = clean(x.Value, maxDetail)
			continue
		}
		fields[i].Value = clean(x.Value, maxValue)
		fmt.Fprintf(&text, " %s=%s", x.Name, quote(fields[i].Value))
	}
	return rfc5424.Message{
		Facility: authpriv, Severity: severity, Time: at, Host: f.host, App: "gitd", Process: f.pid, ID: action, Fields: fields, Text: text.String(),
	}.Append(nil)
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

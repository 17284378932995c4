package drain

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/outbound"
)

// kind is how a receiver is spoken to.
type kind string

// The kinds, as URLs name them.
const (
	syslogTCP kind = "syslog+tcp"
	syslogTLS kind = "syslog+tls"
	jsonTLS   kind = "https"
	jsonClear kind = "http"
	otlpShort kind = "otlp" // otlp+https
	otlpTLS   kind = "otlp+https"
	otlpClear kind = "otlp+http"
)

// ports are those that a URL need not name.
var ports = map[kind]string{
	syslogTCP: "514", syslogTLS: "6514", jsonTLS: "443", jsonClear: "80", otlpShort: "443", otlpTLS: "443", otlpClear: "80",
}

// otlpPath is where a receiver of OTLP takes logs, if its URL does not say so.
const otlpPath = "/v1/logs"

// Hint is what to type in place of a URL that is none of a drain.
//
//nolint:gosec // G101: a form, not a password
const Hint = "write syslog+tls://HOST:6514, syslog+tcp://HOST:514, https://USER:TOKEN@HOST/PATH for JSON, or otlp://HOST/v1/logs"

// address is where a receiver is.
type address struct {
	kind kind
	host string           // and port
	http outbound.Address // of those that speak it
}

// parse reads the URL of a drain. What is none is a *core.Rejection, which does not repeat it: it may hold a secret.
func parse(text string) (address, error) {
	u, ok := outbound.Parse(text)
	if !ok {
		return address{}, core.Reject("that is no URL of a drain", Hint)
	}
	a := address{kind: kind(u.Scheme)}
	port, known := ports[a.kind]
	if !known {
		return address{}, core.Reject(fmt.Sprintf("there are no drains of the kind %.20q", u.Scheme), Hint)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return address{}, core.Reject("the URL names no port from 1 to 65535", Hint)
	}
	a.host = net.JoinHostPort(u.Hostname(), port)
	if a.kind == syslogTCP || a.kind == syslogTLS {
		if u.User != nil || u.RawQuery != "" || strings.Trim(u.Path, "/") != "" {
			return address{}, core.Reject("a receiver of syslog has a host and a port, and nothing more", Hint)
		}
		return a, nil
	}
	switch a.kind {
	case otlpShort, otlpTLS:
		u.Scheme = "https"
	case otlpClear:
		u.Scheme = "http"
	}
	if a.otlp() && strings.Trim(u.Path, "/") == "" {
		u.Path = otlpPath
	}
	a.http = outbound.At(*u)
	return a, nil
}

func (a address) otlp() bool { return a.kind == otlpShort || a.kind == otlpTLS || a.kind == otlpClear }

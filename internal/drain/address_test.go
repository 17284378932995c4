package drain

import (
	"errors"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/outbound"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]address{
		"syslog+tcp://logs.example":           {kind: syslogTCP, host: "logs.example:514"},
		"syslog+tls://logs.example:6000/":     {kind: syslogTLS, host: "logs.example:6000"},
		"syslog+tls://[2001:db8::1]":          {kind: syslogTLS, host: "[2001:db8::1]:6514"},
		"https://logs.example/in?key=s3cret":  {kind: jsonTLS, host: "logs.example:443", http: outbound.Address{URL: "https://logs.example/in?key=s3cret"}},
		"https://ada:pw@logs.example/":        {kind: jsonTLS, host: "logs.example:443", http: outbound.Address{URL: "https://logs.example/", Auth: "Basic YWRhOnB3"}},
		"https://:t0ken@logs.example":         {kind: jsonTLS, host: "logs.example:443", http: outbound.Address{URL: "https://logs.example", Auth: "Bearer t0ken"}},
		"http://10.0.0.5:8080/":               {kind: jsonClear, host: "10.0.0.5:8080", http: outbound.Address{URL: "http://10.0.0.5:8080/"}},
		"otlp://logs.example":                 {kind: otlpShort, host: "logs.example:443", http: outbound.Address{URL: "https://logs.example/v1/logs"}},
		"otlp+https://logs.example/otlp/logs": {kind: otlpTLS, host: "logs.example:443", http: outbound.Address{URL: "https://logs.example/otlp/logs"}},
		"otlp+http://127.0.0.1:4318/":         {kind: otlpClear, host: "127.0.0.1:4318", http: outbound.Address{URL: "http://127.0.0.1:4318/v1/logs"}},
	} {
		got, err := parse(text)
		if err != nil || got.kind != want.kind || got.host != want.host || got.http.URL != want.http.URL || got.http.Auth != want.http.Auth {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

// wrong are no URLs of drains; each holds a secret that no answer repeats.
var wrong = []string{
	"", "s3cret", "syslog://logs.example/s3cret", "ftp://ada:s3cret@logs.example", "https://", "https:///s3cret", "https://:s3cret@/",
	"syslog+tcp://ada:s3cret@logs.example", "syslog+tls://logs.example/s3cret", "syslog+tcp://logs.example?s3cret",
	"https://logs.example/#s3cret", "https://logs.example:0/s3cret", "https://logs.example:99999/s3cret", "https://logs.example/a s3cret",
	"https://logs.example/\ns3cret", "https://ada:s3cret%zz@logs.example/", "https://logs.example/" + strings.Repeat("s3cret", 1000),
	"file:///s3cret", "unix:///s3cret", "javascript:s3cret", "//logs.example/s3cret",
}

func TestParseRefuses(t *testing.T) {
	for _, text := range wrong {
		_, err := parse(text)
		r, ok := errors.AsType[*core.Rejection](err)
		if !ok || r.Hint == "" || strings.Contains(r.Error()+r.Hint, "s3cret") {
			t.Errorf("%.100q: %v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range wrong {
		f.Add(text)
	}
	f.Add("https://ada:pw@logs.example/in?key=x")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parse(text)
		if err != nil {
			if _, ok := errors.AsType[*core.Rejection](err); !ok {
				t.Errorf("%v", err)
			}
			return
		}
		if strings.ContainsAny(a.host+a.http.URL+a.http.Auth, "\r\n") || !strings.Contains(a.host, ":") {
			t.Errorf("%+v", a)
		}
		for _, s := range a.http.Secrets {
			if len(s) > 3 && strings.Contains(strings.TrimPrefix(outbound.Shown(text), string(a.kind)), s) && !strings.Contains(a.host, s) {
				t.Errorf("%q shows %q", outbound.Shown(text), s)
			}
		}
	})
}

package outbound

import (
	"strings"
	"testing"
)

func TestShown(t *testing.T) {
	for text, want := range map[string]string{
		"https://ada:s3cret@logs.example/s3cret?s3cret": "https://***@logs.example/***",
		"https://logs.example/?s3cret":                  "https://logs.example/***",
		"https://logs.example/":                         "https://logs.example",
		"syslog+tls://logs.example:6514":                "syslog+tls://logs.example:6514",
		"https://s3cret@logs.example":                   "https://***@logs.example",
		"https://ada:s3cret%zz@logs.example/":           "***",
	} {
		if got := Shown(text); got != want {
			t.Errorf("%s is shown as %s, want %s", text, got, want)
		}
		if Secret(text) != strings.Contains(text, "s3cret") {
			t.Errorf("%s: a secret is in it: %v", text, Secret(text))
		}
	}
}

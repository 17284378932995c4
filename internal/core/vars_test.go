package core

import (
	"strings"
	"testing"
)

func TestCheckVars(t *testing.T) {
	for _, name := range []string{"A", "_x", "DATABASE_URL", "NODE_OPTIONS", "a9", strings.Repeat("A", 128)} {
		if err := CheckVars(map[string]string{name: "-----BEGIN KEY-----\nä\n"}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, why := range map[string]string{
		"": "no name", "9A": "no name", "A-B": "no name", "A B": "no name", "A=B": "no name", "ä": "no name", "A\n": "no name",
		strings.Repeat("A", 129): "no name",
		"PORT":                   "must listen", "NODEOS_APP": "reserved", "PATH": "fixed", "HOME": "fixed",
	} {
		if err := CheckVarName(name); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %q", name, err, why)
		}
	}
	const secret = "hunter2"
	for _, value := range []string{secret + "\x00", secret + "\xff", strings.Repeat(secret, MaxVars/7)} {
		if err := CheckVars(map[string]string{"A": value}); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%d bytes: %v", len(value), err)
		}
	}
}

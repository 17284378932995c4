package main

import (
	"os/exec"
	"testing"
	"time"
)

// TestDebianVersion: as dpkg sorts them, releases come after their candidates, and commits after the tag before them.
func TestDebianVersion(t *testing.T) {
	at := time.Date(2026, 11, 28, 1, 39, 59, 0, time.UTC)
	for described, want := range map[string]string{
		"v1.2.3":                       "1.2.3",
		"v1.2.3-dirty":                 "1.2.3+dirty",
		"v1.2.3-14-g0123abc":           "1.2.3+14.g0123abc",
		"v1.2.3-rc.1":                  "1.2.3~rc.1",
		"v1.2.3-rc.1-2-g0123abc-dirty": "1.2.3~rc.1+2.g0123abc+dirty",
		"0123abc":                      "0~20261128.013959.0123abc",
		"0123abc-dirty":                "0~20261128.013959.0123abc+dirty",
	} {
		if got := debianVersion(described, at); got != want {
			t.Errorf("%s: %s, want %s", described, got, want)
		}
	}
	dpkg, err := exec.LookPath("dpkg")
	if err != nil {
		t.Skip("no dpkg to ask how versions sort: this host is not Debian")
	}
	before := "0~"
	for _, described := range []string{"0123abc", "v0.9.0-rc.1", "v0.9.0-rc.1-2-g0123abc", "v0.9.0", "v0.9.0-3-gfff", "v0.9.1", "v0.10.0"} {
		version := debianVersion(described, at)
		if err := exec.Command(dpkg, "--compare-versions", before, "lt", version).Run(); err != nil {
			t.Errorf("%s does not come before %s", before, version)
		}
		before = version
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOnStop: what becomes of the machines when gitd is told to end, by what it runs in. That of a real PID namespace
// is in the script stopped.
func TestOnStop(t *testing.T) {
	service := place{pid: 812, parent: 1, systemd: true}
	for _, tt := range []struct {
		name  string
		o     onStop
		state string // what systemctl is-system-running prints
		halts bool
	}{
		{"a service is restarted", onStop{stopAuto, service}, "running", false},
		{"a service of a degraded host", onStop{stopAuto, service}, "degraded", false},
		{"the host is shut down", onStop{stopAuto, service}, "stopping", true},
		{"the host is shut down, and an operator said keep", onStop{stopKeep, service}, "stopping", false},
		{"an operator said halt", onStop{stopHalt, service}, "running", true},
		{"without systemd", onStop{stopAuto, place{pid: 812, parent: 700}}, "offline", false},
		{"orphan of a host without systemd", onStop{stopAuto, place{pid: 812, parent: 1}}, "offline", false},
		{"first process of a container", onStop{stopAuto, place{pid: 1, contained: true}}, "offline", true},
		{"below docker-init", onStop{stopAuto, place{pid: 7, parent: 1, contained: true}}, "offline", true},
		{"below a supervisor in a container", onStop{stopAuto, place{pid: 30, parent: 7, contained: true}}, "offline", false},
		{"a service in a container that runs systemd", onStop{stopAuto, place{pid: 30, parent: 1, contained: true, systemd: true}}, "running", false},
		{"such a container ends", onStop{stopAuto, place{pid: 30, parent: 1, contained: true, systemd: true}}, "stopping", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			systemctl(t, tt.state)
			why, halts := tt.o.halts()
			if halts != tt.halts || halts != (why != "") {
				t.Errorf("halts %t because %q, want %t", halts, why, tt.halts)
			}
		})
	}
	t.Run("no systemctl at all", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		if why, halts := (onStop{choice: stopAuto}).halts(); halts {
			t.Errorf("halts because %q", why)
		}
	})
	if _, err := newOnStop("perhaps"); err == nil || !strings.Contains(err.Error(), "use auto, keep") {
		t.Errorf("a wrong choice: %v", err)
	}
}

// systemctl puts a program of that name before others that says what the real one would, which ends with 1 for all
// states but running.
func systemctl(t *testing.T, state string) {
	t.Helper()
	dir := t.TempDir()
	text := "#!/bin/sh\n[ \"$*\" = is-system-running ] || exit 2\necho " + state + "\n[ " + state + " = running ]\n"
	if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

package main

import (
	"bytes"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

const checkedIn = "../../templates/docker/seccomp.json"

// container has the capabilities that Docker gives to each (in its documentation: "Runtime privilege and Linux
// capabilities"). gitd's has no other.
func container() *specs.Spec {
	return &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: []string{
		"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
		"CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
	}}}}
}

// allowed are the calls of a profile that this container may make, whatever their arguments.
func allowed(t *testing.T, p *specs.LinuxSeccomp, err error) map[string]bool {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]bool{}
	for _, s := range p.Syscalls {
		for _, name := range s.Names {
			if s.Action == specs.ActAllow && len(s.Args) == 0 {
				calls[name] = true
			}
		}
	}
	return calls
}

// TestBeyondDocker reads the profile as Docker does, and says what is opened and closed beside Docker's default.
func TestBeyondDocker(t *testing.T) {
	text, err := os.ReadFile(checkedIn)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := seccomp.LoadProfile(string(text), container())
	us := allowed(t, ours, err)
	if ours.DefaultAction != specs.ActErrno {
		t.Errorf("what no rule names is answered with %s", ours.DefaultAction)
	}
	def, err := seccomp.GetDefaultProfile(container())
	docker := allowed(t, def, err)

	reasons := map[string]string{}
	for _, r := range opened {
		for _, name := range r.names {
			reasons[name] = r.reason
		}
	}
	for _, name := range slices.Sorted(maps.Keys(us)) {
		if docker[name] {
			continue
		}
		t.Logf("opened: %-14s %s", name, reasons[name])
		if reasons[name] == "" {
			t.Errorf("%s is open, Docker's default closes it, and no reason is given", name)
		}
		delete(reasons, name)
	}
	for name := range reasons {
		t.Errorf("%s is to be open: it is not, or Docker has it open too", name)
	}
	for _, name := range slices.Sorted(maps.Keys(docker)) {
		if us[name] {
			continue
		}
		t.Logf("closed: %s", name)
		if !slices.Contains(closed, name) {
			t.Errorf("%s is closed, and Docker's default has it open", name)
		}
	}
	for _, name := range closed {
		if us[name] {
			t.Errorf("%s is open", name)
		}
	}
}

// TestProfileIsGenerated: whoever edits the file by hand would lose it with the next default of Docker's.
func TestProfileIsGenerated(t *testing.T) {
	got, err := os.ReadFile(checkedIn)
	if err != nil {
		t.Fatal(err)
	}
	want, err := encode(profile())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is another: go run . >%s", checkedIn, checkedIn)
	}
}

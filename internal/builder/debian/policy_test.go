package debian

import (
	"maps"
	"testing"
)

// TestPolicy: the candidates are read, and neither what is not there nor what is assumed.
func TestPolicy(t *testing.T) {
	got := parsePolicy(`libc6:
  Installed: 2.36-9+deb12u13
  Candidate: 2.36-9+deb12u14
  Version table:
     2.36-9+deb12u14 500
        500 http://deb.debian.org/debian bookworm/main amd64 Packages
nothing:
  Installed: (none)
  Candidate: (none)
  Version table:
N: Unable to locate package x
adduser:
  Candidate: 999999
ca-certificates:
  Installed: 20230311+deb12u1
  Candidate: 20250419~deb12u2
`)
	want := map[string]string{"libc6": "2.36-9+deb12u14", "ca-certificates": "20250419~deb12u2"}
	if !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// FuzzPolicy: nothing that a package source is called makes a name that apt would take for something else.
func FuzzPolicy(f *testing.F) {
	f.Add("libc6:\n  Candidate: 1\n")
	f.Add("-o Dir=/:\n  Candidate: 2\n")
	f.Fuzz(func(t *testing.T, out string) {
		for name := range parsePolicy(out) {
			if err := CheckName(name); err != nil {
				t.Error(err)
			}
		}
	})
}

package base

import (
	"os"
	"strings"
	"testing"
)

// TestDebianPackages: the loader of this host is found under the name by which Node asks for it, which is not the one
// that dpkg knows on a merged /usr.
func TestDebianPackages(t *testing.T) {
	if _, err := os.Stat("/var/lib/dpkg/status"); err != nil {
		t.Skip("needs Debian's dpkg")
	}
	libs, err := sharedObjects("/bin/ls", nil)
	check(t, err)
	of := debianPackages(append(libs, "/etc/passwd"))
	found := false
	for path, p := range of {
		if strings.HasSuffix(path, "/libc.so.6") {
			found = p.name == "libc6" && p.version != ""
		}
	}
	if !found || of["/etc/passwd"] != (debianPackage{}) {
		t.Errorf("of %v: %v", libs, of)
	}
}

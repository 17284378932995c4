package libvirt

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnreachableState: gitd started with its state in a folder of /root, which only root may enter. Every push then
// failed with libvirt's "Cannot access storage file … as uid:64055". Now gitd says at its start what is wrong, and what
// to type.
func TestUnreachableState(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("QEMU runs as another user only where gitd is root")
	}
	who, err := lookupAccount(QEMUUser, qemuGroup)
	if err != nil {
		t.Fatalf("%v: run scripts/setup", err)
	}
	parent, err := os.MkdirTemp("/tmp", "reach") // t.TempDir has parents that nobody else may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(parent) })
	private := filepath.Join(parent, "private")
	state := filepath.Join(private, "state")
	if err := os.MkdirAll(state, 0o711); err != nil {
		t.Fatal(err)
	}
	mode := func(path string, m os.FileMode) {
		t.Helper()
		if err := os.Chmod(path, m); err != nil {
			t.Fatal(err)
		}
	}
	mode(parent, 0o755)
	mode(private, 0o700)
	if err := who.reach(state); err == nil || !strings.Contains(err.Error(), "chmod o+x "+private+",") {
		t.Errorf("a parent with mode 0700: %v", err)
	}
	mode(private, 0o711)
	if err := who.reach(state); err != nil {
		t.Errorf("after what was advised: %v", err)
	}
	mode(private, 0o700)
	if acl, err := exec.LookPath("setfacl"); err == nil {
		if out, err := exec.Command(acl, "-m", "u:"+QEMUUser+":x", private).CombinedOutput(); err != nil {
			t.Logf("no access control lists here: %s", out)
		} else if err := who.reach(state); err != nil {
			t.Errorf("with an access control list: %v", err)
		}
	}
	if err := (&account{}).reach(state); err != nil {
		t.Errorf("QEMU as this process's own user: %v", err)
	}
}

package gitd_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAppArmorProfiles installs the profiles as scripts/setup does, beside the host's own, and has AppArmor's parser
// read them. Nothing is loaded into this host's kernel.
func TestAppArmorProfiles(t *testing.T) {
	for _, program := range []string{"apparmor_parser", "bwrap"} {
		if _, err := exec.LookPath(program); err != nil && testing.Short() {
			t.Skip("needs ", program)
		}
	}
	dir := filepath.Join(t.TempDir(), "apparmor.d")
	if err := os.CopyFS(dir, os.DirFS("/etc/apparmor.d")); err != nil {
		t.Fatal(err)
	}
	in := func(args ...string) {
		t.Helper()
		wall := strings.Fields("--unshare-user --uid 0 --bind / / --dev /dev --bind " + dir + " /etc/apparmor.d")
		if _, err := os.Stat("/sys/kernel/security"); err == nil {
			wall = append(wall, "--tmpfs", "/sys/kernel/security") // a kernel without AppArmor
		}
		cmd := exec.CommandContext(t.Context(), "bwrap", append(append(wall, "--"), args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
	}
	in("scripts/setup", "apparmor")
	profiles, err := os.ReadDir("templates/apparmor")
	if err != nil || len(profiles) == 0 {
		t.Fatal("no profiles: ", err)
	}
	for _, p := range profiles {
		in("apparmor_parser", "--skip-kernel-load", "--skip-cache", "--abort-on-error", "/etc/apparmor.d/"+p.Name())
		text, err := os.ReadFile(filepath.Join(dir, p.Name()))
		if err != nil || !strings.Contains(string(text), "profile "+p.Name()+" ") {
			t.Errorf("the profile in %s has another name, %v", p.Name(), err)
		}
	}

	// The machine's profile complains until somebody decides otherwise, and setup leaves it at that.
	link := filepath.Join(dir, "force-complain", "gitd-machine")
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "gitd-machine"), []byte("# an older one\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	in("scripts/setup", "apparmor")
	if _, err := os.Lstat(link); !errors.Is(err, fs.ErrNotExist) {
		t.Error("setup has undone the decision to enforce the profile of machines")
	}
}

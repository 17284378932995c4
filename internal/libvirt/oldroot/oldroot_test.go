package oldroot

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/core"
)

// TestEndOfRoot: a gitd that stayed root has left a machine running, as QEMU's user. It is ended, because its successor
// could not. Other processes are not, whoever wrote their numbers into the state folder: neither one of another user,
// nor a QEMU of another state folder.
func TestEndOfRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can leave a machine of another user behind")
	}
	const name = "libvirt-qemu"
	who, err := user.Lookup(name)
	if err != nil {
		t.Fatalf("%v: run scripts/setup", err)
	}
	uid, err := strconv.Atoi(who.Uid)
	if err != nil {
		t.Fatal(err)
	}
	qemu, err := exec.LookPath("qemu-system-" + map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH])
	if err != nil {
		t.Fatalf("%v: run scripts/setup", err)
	}
	state := core.StateDir(t.TempDir())
	run := filepath.Join(state.Libvirt(), "run/qemu")
	if err := os.MkdirAll(run, 0o755); err != nil {
		t.Fatal(err)
	}
	start := func(name, of string, uid int) (ended chan error) {
		cmd := exec.Command(qemu, "-machine", "none", "-display", "none", "-nodefaults", "-S", "-name", of+"/"+name)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(run, name+".pid"), fmt.Appendln(nil, cmd.Process.Pid), 0o600); err != nil {
			t.Fatal(err)
		}
		ended = make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		t.Cleanup(func() { cmd.Process.Kill() }) //nolint:errcheck // it may have ended
		return ended
	}
	old := start("old", string(state), uid)
	others := start("elsewhere", "/var/lib/elsewhere", uid)
	roots := start("of-root", string(state), 0)
	if err := End(t.Context(), state, name, zerolog.Nop()); err != nil {
		t.Fatal(err)
	}
	<-old //nolint:errcheck // it was told to end
	select {
	case err := <-others:
		t.Errorf("a QEMU of another state folder was ended: %v", err)
	case err := <-roots:
		t.Errorf("a process of root's was ended: %v", err)
	default:
	}
}

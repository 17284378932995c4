package jail

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// room is a folder of the user gitd with what a machine has.
type room struct {
	t    *testing.T
	dir  string
	spec Spec
}

func newRoom(t *testing.T) *room {
	t.Helper()
	if testing.Short() {
		t.Skip("makes namespaces of another user")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root, to become the user gitd: sudo make test")
	}
	dir, err := os.MkdirTemp("/tmp", "jail")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	r := &room{t: t, dir: dir, spec: Spec{
		Emulator: "/bin/sh", OOM: 500, Limits: Limits{AddressSpace: 4 << 30, Processes: 256, OpenFiles: 1024},
		UID: firstOf(t, "/etc/subuid"), GID: firstOf(t, "/etc/subgid"),
		App: filepath.Join(dir, "app"), Control: filepath.Join(dir, "net"),
		Files: []File{{Path: filepath.Join(dir, "layer")}, {Path: filepath.Join(dir, "volume"), Writable: true}},
	}}
	for name, mode := range map[string]os.FileMode{"layer": 0o644, "volume": 0o600, "secret": 0o644} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name+"\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	r.command("../../scripts/build-machine", filepath.Join(dir, "gitd-machine"))
	r.command("chown", "-R", "gitd:gitd", dir)
	return r
}

// firstOf is the first subordinate id of the user gitd, as scripts/setup gives it.
func firstOf(t *testing.T, file string) (id uint32) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "gitd:"); ok {
			if _, err := fmt.Sscanf(rest, "%d:", &id); err != nil {
				t.Fatal(err)
			}
		}
	}
	if id == 0 {
		t.Fatalf("%s has nothing for the user gitd: run scripts/setup", file)
	}
	return id
}

func (r *room) command(args ...string) {
	r.t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		r.t.Fatalf("%s: %v\n%s", args, err, out)
	}
}

// shell runs a script in QEMU's place, and returns what it says and its exit code.
func (r *room) shell(script string) (string, int) {
	r.t.Helper()
	file := filepath.Join(r.dir, "walls.json")
	if err := r.spec.Write(file); err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.CommandContext(r.t.Context(), "setpriv", "--reuid", "gitd", "--regid", "gitd", "--init-groups", "--",
		filepath.Join(r.dir, "gitd-machine"), "-c", script)
	cmd.Env, cmd.Dir = []string{"PATH=/usr/bin:/bin", EnvSpec + "=" + file, "SECRET=of gitd"}, "/"
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// TestInside: what runs in QEMU's place has its files and nothing else, and its exit code is the machine's.
func TestInside(t *testing.T) {
	r := newRoom(t)
	for script, want := range map[string]string{
		"cat " + r.dir + "/layer":           "layer",
		"echo new >" + r.dir + "/volume":    "",
		"ls " + r.dir:                       "layer\nvolume",
		"ls /":                              "bin\ndev\netc\nlib\nlib64\nsbin\ntmp\nusr",
		"id -u":                             "2",
		"hostname":                          "machine",
		"echo $SECRET":                      "",
		"ulimit -n":                         "1024",
		"cat /dev/zero | head -c 3 | wc -c": "3",
	} {
		if out, code := r.shell(script); strings.TrimSpace(out) != want || code != 0 {
			t.Errorf("%s: %q, exit code %d, want %q", script, out, code, want)
		}
		r.again()
	}
	for _, script := range []string{
		"echo x >/usr/x", "echo x >/x", "echo x >" + r.dir + "/layer", "cat " + r.dir + "/secret", "cat /etc/passwd", "ls /proc/1", "ls /sys/kernel",
		"mount -t tmpfs tmpfs /tmp", "unshare --mount true", "exit 7",
	} {
		if out, code := r.shell(script); code == 0 {
			t.Errorf("%s works:\n%s", script, out)
		}
		r.again()
	}
	if _, code := r.shell("exit 7"); code != 7 {
		t.Errorf("exit code %d, want 7", code)
	}
	if text, err := os.ReadFile(r.dir + "/volume"); err != nil || string(text) != "new\n" {
		t.Errorf("the volume has %q, %v", text, err)
	}
}

// again removes the doors of the machine before: each machine has a folder of its own.
func (r *room) again() {
	for _, door := range []string{r.spec.App, r.spec.Control} {
		os.Remove(door) //nolint:errcheck // it may not be there
	}
}

// TestVolumeOfAnother: the id that a volume's machine had before does not open it once another machine has it.
func TestVolumeOfAnother(t *testing.T) {
	r := newRoom(t)
	read := "cat " + r.dir + "/volume"
	if out, code := r.shell(read); code != 0 {
		t.Fatalf("%s", out)
	}
	as := func(uid uint32) error {
		return exec.Command("setpriv", "--reuid", fmt.Sprint(uid), "--regid", fmt.Sprint(r.spec.GID+1), "--clear-groups", "--", "cat", r.dir+"/volume").Run()
	}
	before := r.spec.UID + 1
	if err := as(before); err != nil {
		t.Fatalf("the machine's own id does not open it: %v", err)
	}
	r.again()
	r.spec.UID += 2
	r.spec.GID += 2
	if out, code := r.shell(read); code != 0 {
		t.Fatalf("%s", out)
	}
	if err := as(before); err == nil {
		t.Error("the id of the machine before opens the volume")
	}
}

// TestKeys finds the files in which libvirt hands secrets over.
func TestKeys(t *testing.T) {
	args := []string{
		"-object", `{"qom-type":"secret","id":"masterKey0","format":"raw","file":"/s/libvirt/lib/qemu/domain-1-shop/master-key.aes"}`,
		"-object", `{"file":"/etc/shadow"}`, "-object", `{"file":"relative/master-key.aes"}`,
	}
	if got := keys(args); !slices.Equal(got, []string{"/s/libvirt/lib/qemu/domain-1-shop/master-key.aes"}) {
		t.Errorf("%q", got)
	}
}

// TestLoad refuses what cannot be walls.
func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "walls.json")
	good := Spec{Emulator: "/usr/bin/qemu", Files: []File{{Path: "/s/layer"}}, UID: 1, GID: 1}
	if err := good.Write(path); err != nil {
		t.Fatal(err)
	}
	if got, err := Load(path); err != nil || got.Emulator != good.Emulator || got.Single() {
		t.Errorf("%+v, %v", got, err)
	}
	for name, text := range map[string]string{
		"no JSON": "{", "no emulator": "{}", "a relative emulator": `{"emulator":"qemu"}`,
		"a relative file": `{"emulator":"/q","files":[{"path":"x"}]}`, "a file with dots": `{"emulator":"/q","files":[{"path":"/s/../etc/shadow"}]}`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := Load(path + "x"); err == nil {
		t.Error("a file that is not there was taken")
	}
}

// TestAbstractDoor: a name that every process of the host sees lets in the user that it is for, and root, and nobody
// else.
func TestAbstractDoor(t *testing.T) {
	r := newRoom(t)
	r.spec.Peer = lookup(t, "gitd")
	l, err := r.spec.door("@" + filepath.Base(r.dir))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go http.Serve(l, http.NotFoundHandler()) //nolint:errcheck // it ends with the listener
	for name, welcome := range map[string]bool{"gitd": true, "root": true, "nobody": false} {
		out, err := exec.Command("setpriv", "--reuid", name, "--clear-groups", "--", "curl", "-sS", "--max-time", "20",
			"--abstract-unix-socket", filepath.Base(r.dir), "http://machine/").CombinedOutput()
		if (err == nil) != welcome {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func lookup(t *testing.T, name string) int {
	t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		t.Fatal(err)
	}
	return uid
}

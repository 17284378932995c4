package libvirt

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// TestWalls: somebody has broken out of the QEMU of app A and runs what they like as its user, outside of its
// namespaces even. They reach neither app B nor gitd. Root, who may, shows that each attempt would work without walls.
func TestWalls(t *testing.T) {
	if testing.Short() {
		t.Skip("boots virtual machines")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root, to become the user of a QEMU")
	}
	img := newImage(t)
	d := openDriver(t)
	defer func() { closeDriver(t, d) }()
	a, b := walled(t, d, img, "walls-a"), walled(t, d, img, "walls-b")
	if a.ids() == b.ids() {
		t.Error("two machines are one user")
	}
	t.Run("Attack", func(t *testing.T) { attack(t, a, b) })
	t.Run("QEMU", func(t *testing.T) { qemuHasNothing(t, a) })
	t.Run("Supervisor", func(t *testing.T) { supervisorHasNothing(t, a) })
	t.Run("Together", func(t *testing.T) { endTogether(t, a) })
	for _, w := range []walledMachine{a, b} {
		if err := d.Stop(t.Context(), w.m.ID, 0); err != nil {
			t.Error(err)
		}
	}
}

// walledMachine is a machine with its processes.
type walledMachine struct {
	*probe

	volume           string
	qemu, supervisor int // process ids
}

func walled(t *testing.T, d *Driver, img image, id string) walledMachine {
	t.Helper()
	spec := img.spec(id)
	w := walledMachine{volume: newVolume(t)}
	spec.Disks = append(spec.Disks, core.Disk{Serial: "vol-data", Path: w.volume, Writable: true})
	spec.Mounts = []core.Mount{{Serial: "vol-data", Path: "/data"}}
	w.probe = boot(t, d, spec)
	w.kind(core.EventListening, 1)
	w.qemu, w.supervisor = processesOf(t, id)
	if w.qemu == 0 || w.supervisor == 0 {
		t.Fatalf("the processes of %s are %d and %d", id, w.qemu, w.supervisor)
	}
	return w
}

// processesOf finds both processes of a machine, by the arguments of its QEMU. 0: there is none.
func processesOf(t *testing.T, id string) (qemu, supervisor int) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(text, []byte("\x00guest="+id+",")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(proc(t, pid, "comm"), "qemu-system") {
			qemu = pid
		} else {
			supervisor = pid
		}
	}
	return qemu, supervisor
}

func proc(t *testing.T, pid int, name string) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// field is a line of /proc/PID/status.
func field(t *testing.T, pid int, name string) string {
	t.Helper()
	for line := range strings.Lines(proc(t, pid, "status")) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.Join(strings.Fields(rest), " ")
		}
	}
	t.Fatalf("process %d has no %s", pid, name)
	return ""
}

// ids are the real uid and gid of the machine's QEMU, as the host has them.
func (w walledMachine) ids() [2]string {
	return [2]string{strings.Fields(field(w.t, w.qemu, "Uid"))[0], strings.Fields(field(w.t, w.qemu, "Gid"))[0]}
}

func attack(t *testing.T, a, b walledMachine) {
	ids := a.ids()
	for what, command := range map[string]string{
		"read the memory of its QEMU":       fmt.Sprintf("head -c 1 /proc/%d/mem; test -r /proc/%d/mem && ls /proc/%d/map_files", b.qemu, b.qemu, b.qemu),
		"read what its QEMU has open":       fmt.Sprintf("ls /proc/%d/fd", b.qemu),
		"signal its QEMU":                   fmt.Sprintf("kill -0 %d", b.qemu),
		"signal its supervisor":             fmt.Sprintf("kill -0 %d", b.supervisor),
		"read the memory of its supervisor": fmt.Sprintf("ls /proc/%d/map_files", b.supervisor),
		"read its volume":                   "head -c 1 " + b.volume,
		"write its volume":                  ": >>" + b.volume,
		"read its console":                  "head -c 0 " + state.Machine(b.m.ID) + "/console.log",
		"connect to its app":                "curl -sS --max-time 20 --unix-socket " + b.m.Addr + " http://machine/status",
		"change its network's policy":       "curl -sS --max-time 20 -o /dev/null --unix-socket " + state.Machine(b.m.ID) + "/net http://machine/ || test $? = 1 -o $? = 52 -o $? = 56",
		"read the ledger":                   "head -c 0 " + touch(t, state.Ledger()),
		"list gitd's state":                 "ls " + string(state),
	} {
		t.Run(what, func(t *testing.T) {
			if out, err := shell(t, nil, command); err != nil {
				t.Errorf("the attempt itself does not work: %v\n%s", err, out)
			}
			if out, err := shell(t, ids[:], command); err == nil {
				t.Errorf("app A can: %s\n%s", command, out)
			}
		})
	}
}

func touch(t *testing.T, path string) string {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	return path
}

// shell runs a command as root, or as the user of a QEMU.
func shell(t *testing.T, ids []string, command string) (string, error) {
	t.Helper()
	args := []string{"sh", "-c", command}
	if ids != nil {
		args = append([]string{"setpriv", "--reuid", ids[0], "--regid", ids[1], "--clear-groups", "--"}, args...)
	}
	out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
	return string(out), err
}

// qemuHasNothing: QEMU has no rights, no network, and no file but its own.
func qemuHasNothing(t *testing.T, w walledMachine) {
	for name, want := range map[string]string{
		"CapEff": "0000000000000000", "CapPrm": "0000000000000000", "CapAmb": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2",
	} {
		if got := field(t, w.qemu, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if got := strings.TrimSpace(proc(t, w.qemu, "oom_score_adj")); got != "500" {
		t.Errorf("oom_score_adj is %s: gitd would end before its machines", got)
	}
	if devices := strings.Count(proc(t, w.qemu, "net/dev"), ":"); devices != 1 {
		t.Errorf("QEMU has %d network devices, and may have none but its loopback", devices)
	}
	for _, name := range []string{"mnt", "net", "ipc", "uts", "user"} {
		if here, there := namespaceOf(t, os.Getpid(), name), namespaceOf(t, w.qemu, name); here == there {
			t.Errorf("QEMU is in the host's %s namespace", name)
		}
	}
	mounts := proc(t, w.qemu, "mountinfo")
	for _, not := range []string{"console.log", "/gitd.db", "walls-b", " /proc ", " /sys ", " /home ", " /root ", " /run "} {
		if strings.Contains(mounts, not) {
			t.Errorf("QEMU sees %s:\n%s", not, mounts)
		}
	}
	if !strings.Contains(mounts, w.volume) {
		t.Errorf("QEMU does not see its own volume:\n%s", mounts)
	}
}

func namespaceOf(t *testing.T, pid int, name string) string {
	t.Helper()
	link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, name))
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// supervisorHasNothing: the process that answers a guest's packets is a user of its own, and may do nothing but end its
// QEMU.
func supervisorHasNothing(t *testing.T, w walledMachine) {
	const kill = "0000000000000020"
	for name, want := range map[string]string{"CapEff": kill, "CapPrm": kill, "NoNewPrivs": "1", "Groups": ""} {
		if got := field(t, w.supervisor, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if uid := strings.Fields(field(t, w.supervisor, "Uid"))[0]; uid == w.ids()[0] || uid == "0" || uid == strconv.Itoa(libvirtUser(t)) {
		t.Errorf("it is the user %s", uid)
	}
}

// libvirtUser is whom libvirt starts machines as.
func libvirtUser(t *testing.T) int {
	t.Helper()
	who, err := lookupAccount(QEMUUser, qemuGroup)
	if err != nil {
		t.Fatal(err)
	}
	return who.UID
}

// endTogether: a QEMU does not outlive the process around it.
func endTogether(t *testing.T, w walledMachine) {
	if out, err := shell(t, nil, fmt.Sprintf("kill -9 %d", w.supervisor)); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	w.kind(core.EventGone, 1)
	if qemu, supervisor := processesOf(t, w.m.ID); qemu != 0 || supervisor != 0 {
		t.Errorf("processes are left: %d, %d", qemu, supervisor)
	}
}

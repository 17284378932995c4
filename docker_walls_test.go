package gitd_test

import (
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// call is a system call that nothing in the container makes, with arguments that are wrong: a kernel that is asked says
// something else than EPERM or ENOSYS, whatever the host's settings.
type call struct {
	name string
	nr   int
	args string // Perl
}

// refusedCalls are parts of the kernel that have been the way out of containers, or into others' processes.
var refusedCalls = []call{
	{"bpf", unix.SYS_BPF, "0, 0, 0x7fffffff"},
	{"keyctl", unix.SYS_KEYCTL, "0x7fff"},
	{"add_key", unix.SYS_ADD_KEY, "0, 0, 0, 0, 0"},
	{"request_key", unix.SYS_REQUEST_KEY, "0, 0, 0, 0"},
	{"io_uring_setup", unix.SYS_IO_URING_SETUP, "0, 0"},
	{"perf_event_open", unix.SYS_PERF_EVENT_OPEN, "0, 0, 0, -1, -1"},
	{"userfaultfd", unix.SYS_USERFAULTFD, "0x80000001"},
	{"ptrace", unix.SYS_PTRACE, "0x7fff, 0, 0, 0"},
	{"process_vm_readv", unix.SYS_PROCESS_VM_READV, "0, 0, 0, 0, 0, 1"},
	{"process_vm_writev", unix.SYS_PROCESS_VM_WRITEV, "0, 0, 0, 0, 0, 1"},
	{"kcmp", unix.SYS_KCMP, "0, 0, 99, 0, 0"},
	{"setns", unix.SYS_SETNS, "-1, 0"},
	{"clone3", unix.SYS_CLONE3, "0, 0"},
	{"open_tree", unix.SYS_OPEN_TREE, "-1, 0, 0x7fffffff"},
	{"socket(AF_ALG)", unix.SYS_SOCKET, "38, 0, -1"},
	{"socket(AF_VSOCK)", unix.SYS_SOCKET, "40, 0, -1"},
}

// trySystemCalls is a program that makes these calls and prints the errors. Perl is in each Debian.
func trySystemCalls() string {
	program := "use POSIX; sub try { my $name = shift; syscall(shift, @_); " +
		"print \"$name \", ($! == EPERM || $! == ENOSYS ? 'refused' : \"answered: $!\"), \"\\n\"; }\n"
	for _, c := range refusedCalls {
		program += fmt.Sprintf("try('%s', %d, %s);\n", c.name, c.nr, c.args)
	}
	return program
}

// refusesCalls: whoever has root in the container, past builds and machines, still does not reach these parts of the
// kernel. The same program with seccomp=unconfined, which docker-compose.yml had before, reaches all of them.
func (e *engine) refusesCalls() {
	e.t.Helper()
	program := strings.NewReader(trySystemCalls())
	e.wantCalls("refused", e.run(program, "docker-compose", "exec", "-T", "gitd", "perl", "-"))
	program.Seek(0, 0) //nolint:errcheck // of memory
	e.wantCalls("answered", e.run(program, "docker", "run", "--rm", "--interactive", "--network=none",
		"--security-opt=seccomp=unconfined", "--entrypoint=perl", "gitd", "-"))
}

func (e *engine) wantCalls(want, got string) {
	e.t.Helper()
	lines := strings.Split(strings.TrimSpace(got), "\n")
	if len(lines) != len(refusedCalls) {
		e.t.Fatalf("%d calls were tried, of %d:\n%s", len(lines), len(refusedCalls), got)
	}
	for _, line := range lines {
		if _, answer, _ := strings.Cut(line, " "); !strings.HasPrefix(answer, want) {
			e.t.Errorf("system call %s, want %s", line, want)
		}
	}
}

// machineWalls makes what stands around a machine: ids that belong to no process outside, and namespaces in which files
// are mounted. In Docker, newuidmap could not give out ids: Debian's is set-user-ID root, which needs CAP_SYS_ADMIN.
const machineWalls = `
first=$(sed -n 's/^gitd:\([0-9]*\):.*/\1/p' /etc/subuid)
setpriv --reuid gitd --regid gitd --init-groups --inh-caps=-all \
	unshare --user --map-root-user --map-users="$first,1,2" --map-groups="$first,1,2" \
	unshare --mount --net --ipc --uts sh -euc '
		hostname machine
		mount -t tmpfs -o size=1m tmpfs /tmp
		mkdir /tmp/new /tmp/new/old /tmp/new/usr
		ln -s usr/lib usr/lib64 /tmp/new
		mount --bind /tmp/new /tmp/new
		mount --rbind /usr /tmp/new/usr
		pivot_root /tmp/new /tmp/new/old
		setpriv --reuid 2 --regid 2 --clear-groups echo "behind the walls"
	'
`

// allowsWalls: the user gitd makes a machine's walls in the container, with the rights that docker-compose.yml gives.
func (e *engine) allowsWalls() {
	e.t.Helper()
	got := e.run(strings.NewReader(machineWalls), "docker-compose", "exec", "-T", "gitd", "sh", "-eu")
	if !strings.Contains(got, "behind the walls") {
		e.t.Errorf("the walls of a machine: %s", got)
	}
}

// rights prints a line for each process of the container: its uid, its effective capabilities, no_new_privs, how many
// system call filters it has, and its command.
const rights = `
cd /proc
for p in [0-9]*; do
	awk -v ORS=" " '/^(Uid|CapEff|NoNewPrivs|Seccomp_filters):/ { print $2 }' $p/status 2>/dev/null || continue
	tr '\0' ' ' <$p/cmdline
	echo
done
`

// hasNoRoot: root starts gitd, which becomes the user gitd; QEMU and what stands around it have subordinate ids, and no
// rights but that the latter may end the former.
func (e *engine) hasNoRoot() {
	e.t.Helper()
	all := e.run(strings.NewReader(rights), "docker-compose", "exec", "-T", "gitd", "sh")
	for program, want := range map[string]*regexp.Regexp{
		"gitd serve":   regexp.MustCompile(`(?m)^[1-9]\d{0,4} 0{16} [01] [1-9] \S*gitd serve`),
		"gitd-machine": regexp.MustCompile(`(?m)^[1-9]\d{5} 0{14}20 1 [1-9] \S*gitd-machine`),
		"QEMU":         regexp.MustCompile(`(?m)^[1-9]\d{5} 0{16} 1 [2-9] \S*qemu-system`),
	} {
		if !want.MatchString(all) {
			e.t.Errorf("%s has other rights than %s:\n%s", program, want, all)
		}
	}
	if root := regexp.MustCompile(`(?m)^0 \S+ . . /usr/\S*(gitd|qemu).*`).FindAllString(all, -1); root != nil {
		e.t.Errorf("as root: %q", root)
	}
}

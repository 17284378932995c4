package sandbox

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"
)

// TestExcess: processes that together have too much memory end, and so does a command that its caller does not want any
// more; each with its reason.
func TestExcess(t *testing.T) {
	s, app, shm := probed(t)
	full := &Excess{What: "filled the disk"}
	for name, tt := range map[string]struct {
		script string
		memory int64
		check  func() error
		want   string
	}{
		"memory": {
			script: `for i in 1 2 3 4; do perl -e '$x = "x" x 60_000_000; sleep 1000' & done; wait`,
			memory: 200 << 20, want: "used more than 200 MiB of memory",
		},
		"detached": {
			script: `setsid perl -e '$x = "x" x 90_000_000; sleep 1000' & setsid perl -e '$x = "x" x 90_000_000; sleep 1000' & sleep 1000`,
			memory: 100 << 20, want: "used more than 100 MiB of memory",
		},
		"check": {script: "sleep 1000", check: func() error { return full }, want: "filled the disk"},
		"less":  {script: `perl -e '$x = "x" x 30_000_000'`, memory: 1 << 30},
	} {
		var out bytes.Buffer
		err := s.Run(t.Context(), Spec{
			Args: []string{"/bin/sh", "-c", tt.script}, Env: []string{"PATH=/usr/bin:/bin"}, Dir: "/app",
			Mounts: []Mount{{Host: app, Inside: "/app", Writable: true}}, Shm: shm, Output: &out,
			Memory: tt.memory, Check: tt.check,
		})
		excess, ok := errors.AsType[*Excess](err)
		switch {
		case tt.want == "" && err != nil, tt.want != "" && !ok, ok && !strings.Contains(excess.What, tt.want):
			t.Errorf("%s: %v, want %q; it said %s", name, err, tt.want, out.String())
		}
	}
}

// hide is perl that asks the kernel for memory in ways that no process's own memory shows, and fails if it gets none.
const hide = `use Socket; my $mib = 1 << 20; my $x = "x" x $mib; my @kept; $SIG{PIPE} = "IGNORE";
sub give { my ($in) = @_; for (1 .. 150) { syswrite($in, $x) == $mib or die "write: $!" } }
my %ways = (
	memfd => sub { my $name = "x"; my $fd = syscall(319, $name, 0); $fd >= 0 or die "no memfd: $!"; open(my $f, "+<&=", $fd) or die $!; give($f); push @kept, $f },
	shm => sub { qx{stat -f -c %T /dev/shm} =~ /tmpfs/ and die "a tmpfs"; exit 0 },
	shared => sub {
		my $at = syscall(9, 0, 150 * $mib, 3, 0x21, -1, 0); $at > 0 or die "mmap: $!";
		open(my $z, "<", "/dev/zero") or die $!; syscall(0, fileno($z), $at, 150 * $mib) > 0 or die "read: $!";
		syscall(28, $at, 100 * $mib, 4) == 0 or die "madvise: $!"; # no page table has that any more
	},
	sysv => sub { for (1 .. 15) { my $id = shmget(0, 10 * $mib, 01600) // die "no shm: $!"; shmwrite($id, "x" x (10 * $mib), 0, 10 * $mib) or die $! } },
	small => sub { shmget(0, 56, 01600) // die "no shm: $!"; exit 0 },
	sockets => sub {
		for (1 .. 1200) {
			socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die $!; $a->blocking(0);
			1 while syswrite($a, $x, 65536); push @kept, $a, $b;
		}
	},
);
use IO::Handle; $ways{$ARGV[0]}->(); sleep 1000;`

// TestHiddenMemory: a build script tries to have memory that is not that of any process: files in memory, shared memory
// in no page table, buffers of sockets. In a control group, the kernel counts all of it. Where there is none, what
// cannot be counted is refused.
func TestHiddenMemory(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("perl has no names for system calls, and this test the numbers of amd64 only")
	}
	const excess = "used more than 100 MiB of memory"
	grouped, app, shm := probed(t)
	counting := *grouped
	counting.groups = nil
	for way, want := range map[string]struct{ counted, grouped string }{
		"memfd":   {"no memfd: Function not implemented", "no memfd: Function not implemented"},
		"shared":  {excess, excess},
		"sysv":    {"no shm: Invalid argument", "no shm: Invalid argument"},
		"small":   {"", ""},
		"shm":     {"", ""},
		"sockets": {grouped: excess}, // without a group, only the kernel's own end of it: docs/decisions/0135-quotas.md
	} {
		run := func(box *Sandbox) string {
			var out bytes.Buffer
			err := box.Run(t.Context(), Spec{
				Args: []string{"/usr/bin/perl", "-e", hide, way}, Dir: "/app",
				Mounts: []Mount{{Host: app, Inside: "/app", Writable: true}}, Shm: shm, Output: &out, Memory: 100 << 20,
			})
			if err == nil {
				return out.String()
			}
			return out.String() + err.Error()
		}
		if way != "sockets" {
			if got := run(&counting); !strings.Contains(got, want.counted) || want.counted == "" && got != "" {
				t.Errorf("%s, counted: %q, want %q", way, got, want.counted)
			}
		}
		if !grouped.Grouped() {
			t.Logf("%s: this process may make no control groups", way)
		} else if got := run(grouped); !strings.Contains(got, want.grouped) || want.grouped == "" && got != "" {
			t.Errorf("%s, in a group: %q, want %q", way, got, want.grouped)
		}
	}
}

// TestYields: what runs inside is behind machines and gitd, for the processor and when memory runs out.
func TestYields(t *testing.T) {
	_, run := shell(t)
	out, err := run(t.Context(), nil, "nice; cat /proc/self/oom_score_adj")
	fields := strings.Fields(out)
	if err != nil || len(fields) < 2 || fields[1] != "1000" {
		t.Errorf("%q, %v", out, err)
	}
}

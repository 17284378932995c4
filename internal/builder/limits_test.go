package builder

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/builder/native"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// bounded runs f, and fails if it takes longer than most, or if this process, which is in the place of gitd, ever has
// more than 256 MiB of memory.
func bounded(t *testing.T, most time.Duration, f func()) {
	t.Helper()
	check(t, os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)) // the peak begins anew
	began := time.Now()
	f()
	took, peak := time.Since(began), peakMemory(t)
	t.Logf("%s, at most %d MiB", took.Round(10*time.Millisecond), peak>>20)
	if took > most || peak > 256<<20 {
		t.Errorf("it took %s and %d MiB, want at most %s and 256 MiB", took, peak>>20, most)
	}
}

func peakMemory(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	check(t, err)
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			check(t, err)
			return kib << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

// mark is in the command line of each process that a hostile script leaves behind.
const mark = "98765.4321"

// noneRuns fails if a marked process is left.
func noneRuns(t *testing.T) {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	check(t, err)
	for _, l := range lines {
		if b, err := os.ReadFile(l); err == nil && strings.Contains(string(b), "sleep\x00"+mark) {
			t.Errorf("%s: %q is left", l, b)
		}
	}
}

// TestLimits: scripts that take whatever they can get end in bounded time, with a reason, and leave nothing.
func TestLimits(t *testing.T) {
	b := *realBuilder(t)
	if _, said, err := scripted(t, &b, "true"); err != nil { // Node and its base are made once
		t.Fatalf("%v\n%s", err, said)
	}
	b.cfg.BuildTimeout = 6 * time.Second
	b.memory = 500 << 20
	const forks = `f() { sleep ` + mark + ` & f & f & wait; }; f; sleep ` + mark
	const eats = `node -e "for (let i = 0; i < 20; i++) require('child_process').spawn(process.execPath, ['-e', ` +
		`'const a = []; for (let i = 0; i < 50; i++) a.push(Buffer.alloc(1 << 20, 1)); setInterval(() => a, 1000)'])"`
	for _, tt := range []struct {
		name, script string
		want         string // in the reason; "": the build is fine
	}{
		{"forks", forks, "build failed: npm run build "},
		{"eats memory, in many processes", eats, "build failed: npm run build used more than 500 MiB of memory"},
		{"sleeps", "sleep " + mark, "build failed: npm run build took longer than 6s"},
		{"leaves daemons", "for i in 1 2 3; do setsid nohup sleep " + mark + " >/dev/null 2>&1 </dev/null & done", ""},
		{"listens", `node -e "require('net').createServer().listen(8080, () => process.exit())"`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bounded(t, 60*time.Second, func() {
				_, said, err := scripted(t, &b, tt.script)
				if tt.want != "" {
					rejected(t, err, tt.want)
				} else if err != nil {
					t.Errorf("%v\n%.1000s", err, said)
				}
			})
			noneRuns(t)
		})
	}
}

// TestDeepFolder: a script can nest folders so deep that no path leads to the last one. The push says that, and says it
// soon: what looks for install scripts and for compiled files took minutes of the daemon for 8,000 folders, and with
// four times the folders sixteen times that.
func TestDeepFolder(t *testing.T) {
	b := newTestBuilder(t)
	for _, c := range []struct {
		name string
		deep int
	}{{strings.Repeat("d", 200), 25}, {"d", 4_000}} {
		dir := t.TempDir()
		nest(t, dir, c.name, c.deep)
		bounded(t, 30*time.Second, func() {
			_, err := (&job{b: b}).pack(t.Context(), dir, "the app")
			rejected(t, err, "the app has folders in folders")
			if c.deep > maxLayerDepth {
				_, err = inspect(dir)
				rejected(t, err, "node_modules has folders in folders")
			}
			_, err = native.Scan(dir) // it says nothing: pack does
			check(t, err)
			check(t, disk.RemoveAll(dir))
		})
	}
}

// nest makes folders of one name in each other.
func nest(t *testing.T, dir, name string, deep int) {
	t.Helper()
	at, err := os.OpenRoot(dir)
	check(t, err)
	for range deep {
		check(t, at.Mkdir(name, 0o755))
		next, err := at.OpenRoot(name)
		check(t, err)
		check(t, at.Close())
		at = next
	}
	check(t, at.Close())
}

// TestMuchOutput: what a script prints without end takes no memory, and ends with the script's time.
func TestMuchOutput(t *testing.T) {
	b := *realBuilder(t)
	b.cfg.BuildTimeout = 3 * time.Second
	repo := newRepository(t)
	src := image.Source{App: "much", Repo: repo.path, Commit: repo.commit(map[string]string{
		"package.json": `{"scripts": {"build": "yes this is no message", "start": "node server.js"}}`, "server.js": "",
	})}
	bounded(t, 30*time.Second, func() {
		_, err := b.Build(t.Context(), src, progress.NewReport(discard{}))
		rejected(t, err, "build failed: npm run build took longer than 3s")
	})
}

// TestFullByBuild: a build that fills the disk is ended before others have nothing left, and its files are removed.
func TestFullByBuild(t *testing.T) {
	b := *realBuilder(t)
	dir := b.cfg.State.Builds()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=600m,nr_inodes=60000,mode=711"); err != nil {
		t.Skipf("mounting a small file system needs root: %v", err)
	}
	defer unix.Unmount(dir, 0) //nolint:errcheck // the test has ended
	for _, script := range []string{
		"dd if=/dev/zero of=big bs=1M; sleep " + mark,
		`node -e "for (let i = 0; ; i++) { try { require('fs').writeFileSync('f' + i, '') } catch {} }"`,
	} {
		bounded(t, 60*time.Second, func() {
			_, _, err := scripted(t, &b, script)
			rejected(t, err, "build failed: npm run build filled the server's disk: it has ")
		})
		if left, err := disk.Use(dir); left.Bytes > 1<<20 || err != nil {
			t.Errorf("%d bytes are left, %v", left.Bytes, err)
		}
		noneRuns(t)
	}
}

// imported makes a repository of what git fast-import reads: 100,000 files are a second in this way.
func imported(t *testing.T, write func(w *bufio.Writer)) image.Source {
	t.Helper()
	repo := filepath.Join(t.TempDir(), "repo.git")
	check(t, exec.Command("git", "init", "-q", "--bare", repo).Run())
	cmd := exec.Command("git", "-C", repo, "-c", "core.compression=1", "fast-import", "--quiet")
	in, err := cmd.StdinPipe()
	check(t, err)
	check(t, cmd.Start())
	w := bufio.NewWriterSize(in, 1<<20)
	write(w)
	check(t, w.Flush())
	check(t, in.Close())
	check(t, cmd.Wait())
	id, err := exec.Command("git", "-C", repo, "rev-parse", "main").Output()
	check(t, err)
	return image.Source{App: "huge", Repo: repo, Commit: strings.TrimSpace(string(id))}
}

const commitLine = "commit refs/heads/main\ncommitter a <a@example.org> 1700000000 +0000\ndata 1\nx"

// blob writes one whose content is size bytes of c.
func blob(w *bufio.Writer, mark int, c byte, size int64) {
	fmt.Fprintf(w, "blob\nmark :%d\ndata %d\n", mark, size)
	piece := []byte(strings.Repeat(string(c), 1<<16))
	for ; size > 0; size -= int64(len(piece)) {
		w.Write(piece[:min(size, int64(len(piece)))]) //nolint:errcheck // the flush says it
	}
	w.WriteString("\n") //nolint:errcheck // as above
}

// TestHugeRepositories: what is too large is refused before it is written down, and gitd's own memory stays small.
func TestHugeRepositories(t *testing.T) {
	if testing.Short() {
		t.Skip("makes large repositories")
	}
	b := newTestBuilder(t)
	for _, tt := range []struct {
		name, want string
		write      func(w *bufio.Writer)
	}{
		{"100,000 files", "the repository has more than 50000 files", func(w *bufio.Writer) {
			blob(w, 1, '{', 1)
			fmt.Fprintln(w, commitLine)
			for i := range 100_000 {
				fmt.Fprintf(w, "M 100644 :1 d%d/f%d\n", i/1000, i)
			}
		}},
		{"a large file", "the repository's files are more than 1 GiB", func(w *bufio.Writer) {
			blob(w, 1, 'x', 2<<30)
			fmt.Fprintln(w, commitLine)
			fmt.Fprintln(w, "M 100644 :1 large")
		}},
		{"a large package.json", "package.json is larger than 1 MiB", func(w *bufio.Writer) {
			blob(w, 1, ' ', 100<<20)
			fmt.Fprintln(w, commitLine)
			fmt.Fprintln(w, "M 100644 :1 package.json")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "a large file" && os.Getenv("LIMITS") == "" {
				t.Skip("to make the repository takes half a minute: make test-limits runs it")
			}
			src := imported(t, tt.write)
			dir := t.TempDir()
			bounded(t, 60*time.Second, func() {
				c, err := openCommit(src)
				check(t, err)
				defer c.close() //nolint:errcheck // it was only read
				if tt.name == "a large package.json" {
					_, err = b.Build(t.Context(), src, progress.NewReport(discard{}))
				} else {
					_, err = c.export(t.Context(), dir, os.Getuid(), os.Getgid())
				}
				rejected(t, err, tt.want)
			})
			if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
				t.Errorf("%d files were written, %v", len(entries), err)
			}
		})
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

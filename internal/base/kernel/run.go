package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/nodeos-dev/gitd/internal/walls"
)

// environment is all that a compile sees: nothing of the caller, no clock and
// no name of this host.
func environment(home string) []string {
	return []string{
		"PATH=/usr/bin:/bin", "HOME=" + home, "TMPDIR=" + home, "LC_ALL=C", "TZ=UTC",
		"KBUILD_BUILD_TIMESTAMP=Thu Jan  1 00:00:00 UTC 1970", "KBUILD_BUILD_VERSION=1",
		"KBUILD_BUILD_USER=gitd", "KBUILD_BUILD_HOST=nodeos",
	}
}

// target tells the kernel's makefiles what to compile for; on a host of that kind they know.
func (c Config) target() []string {
	if c.cross() == "" {
		return nil
	}
	arch := map[string]string{"amd64": "x86", "arm64": "arm64"}[c.Arch] // as Linux calls it
	return []string{"ARCH=" + arch, "CROSS_COMPILE=" + c.cross()}
}

// run runs a program of the compile in dir, without a network where that can
// be had. Its output goes to the compile's log and to out, if there is one.
func (w *work) run(ctx context.Context, dir string, out *counter, args ...string) error {
	log, err := os.OpenFile(filepath.Join(w.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	last := &tail{}
	writers := []io.Writer{log, last}
	if out != nil {
		writers = append(writers, out)
	}
	program := func(namespaces uintptr) *exec.Cmd {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Path, cmd.Err = "/usr/bin/"+args[0], nil
		cmd.Dir, cmd.Env = dir, slices.Concat(environment(w.dir), w.config.target(), w.config.env)
		cmd.Stdout = io.MultiWriter(writers...)
		cmd.Stderr = cmd.Stdout
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces}
		walls.Together(cmd)
		cmd.WaitDelay = time.Second
		return cmd
	}
	err = program(syscall.CLONE_NEWNET).Run()
	if errors.Is(err, syscall.EPERM) {
		// Only root may take the network away. The source is Debian's, and
		// asks for nothing.
		err = program(0).Run()
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%s: %w: %s; all it said is in %s", args[0], err, last.reason(), log.Name())
	}
	return errors.Join(ctx.Err(), err)
}

// counter counts the objects that make announces.
type counter struct {
	lines
	done int
	tell func(done int)
}

func (c *counter) Write(p []byte) (int, error) {
	c.feed(p, func(line string) {
		kind, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if (kind == "CC" || kind == "AS") && !strings.Contains(name, "tools/") {
			c.done++
			c.tell(c.done)
		}
	})
	return len(p), nil
}

// tail keeps the lines that say why make failed.
type tail struct {
	lines
	first, last string
}

func (t *tail) Write(p []byte) (int, error) {
	t.feed(p, func(line string) {
		if t.first == "" && strings.Contains(line, "error") {
			t.first = line
		}
		if strings.TrimSpace(line) != "" {
			t.last = line
		}
	})
	return len(p), nil
}

func (t *tail) reason() string {
	if t.first != "" {
		return t.first
	}
	return t.last
}

// maxLine bounds what is kept of a line, in bytes.
const maxLine = 4096

// lines cuts a stream into lines.
type lines struct{ rest []byte }

func (l *lines) feed(p []byte, line func(string)) {
	for _, c := range p {
		switch {
		case c == '\n':
			line(string(l.rest))
			l.rest = l.rest[:0]
		case len(l.rest) < maxLine:
			l.rest = append(l.rest, c)
		}
	}
}

// countObjects counts the kernel's objects that an interrupted compile left.
func countObjects(source string) (n int, err error) {
	err = filepath.WalkDir(source, func(p string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && (p == filepath.Join(source, "scripts") || p == filepath.Join(source, "tools")):
			return fs.SkipDir
		case strings.HasSuffix(p, ".o") && !strings.HasPrefix(e.Name(), "vmlinux") && !strings.HasPrefix(e.Name(), "."):
			n++
		}
		return nil
	})
	return n, err
}

package debian

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/base/filelock"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Archive is Debian's archive, as the host's apt knows it. It is safe for concurrent use.
type Archive struct {
	Dir string // for apt's indexes; made when it is needed
}

// indexAge is how old apt's indexes may be. Debian publishes four times a day; a look takes two seconds.
const indexAge = time.Hour

// ErrNoApt says that the host has no apt.
var ErrNoApt = errors.New("there is no apt-get on this server")

//go:embed apt.conf
var aptConf string

// open brings the indexes up to date and keeps others from changing them until closeArchive is called. asked are names
// of packages that somebody wants, whatever is assumed of others.
func (a Archive) open(ctx context.Context, asked []string, r *progress.Report) (closeArchive func(), err error) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return nil, &core.Rejection{
			Reason: "this server cannot fetch packages of Debian: " + ErrNoApt.Error(),
			Hint:   "its operator runs gitd on Debian, or in gitd's own container",
			Err:    ErrNoApt,
		}
	}
	for _, dir := range []string{"lists/partial", "archives/partial", "log"} {
		if err := os.MkdirAll(filepath.Join(a.Dir, dir), 0o700); err != nil {
			return nil, err
		}
	}
	unlock, err := filelock.Take(ctx, filepath.Join(a.Dir, ".lock"), func() { r.Detail("waiting for another build that asks Debian's archive") })
	if err != nil {
		return nil, err
	}
	if err := errors.Join(a.configure(ctx, asked), a.update(ctx, r)); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// configure writes apt's settings, and the list of what it must take for installed.
func (a Archive) configure(ctx context.Context, asked []string) error {
	status, err := assumed(ctx, asked)
	if err != nil {
		return err
	}
	conf := strings.NewReplacer("@DIR@", a.Dir, "@ARCH@", runtime.GOARCH).Replace(aptConf)
	return errors.Join(os.WriteFile(a.path("conf"), []byte(conf), 0o600), os.WriteFile(a.path("status"), []byte(status), 0o600))
}

func (a Archive) path(name string) string { return filepath.Join(a.Dir, name) }

// update fetches the indexes, if those that are there are old. A source of the host that fails is no error, because
// hosts have more sources than Debian's: what is missing for it is said when a package is looked for.
func (a Archive) update(ctx context.Context, r *progress.Report) error {
	stamp := a.path("updated")
	if info, err := os.Stat(stamp); err == nil && time.Since(info.ModTime()) < indexAge {
		return nil
	}
	r.Detail("apt-get update, for Debian's packages")
	if _, err := a.apt(ctx, "apt-get", "update"); err != nil {
		r.Detail("%v", err)
		return ctx.Err()
	}
	return os.WriteFile(stamp, nil, 0o600)
}

// maxSaid bounds what is read of apt's output, in bytes. The names of all packages have 1.3 MB.
const maxSaid = 16 << 20

// apt runs a program of apt with the settings of a, and returns what it prints.
func (a Archive) apt(ctx context.Context, name string, args ...string) (string, error) {
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, name, append([]string{"-c", a.path("conf"), "-q"}, args...)...)
	cmd.Env = environment()
	cmd.Stdout, cmd.Stderr = &limited{&out, maxSaid}, &limited{&said, maxSaid}
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return "", errors.Join(ctx.Err(), complaint(err, said.String()))
	}
	return out.String(), nil
}

// environment is all that apt gets: the host's proxies are in it, or in apt's own settings.
func environment() []string {
	env := []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}
	for _, name := range []string{"http_proxy", "https_proxy", "no_proxy"} {
		if v := os.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// complaint is the error of apt that says most: the first, and not the summary that it ends with.
func complaint(err error, said string) error {
	for line := range strings.Lines(said) {
		if text, ok := strings.CutPrefix(line, "E: "); ok {
			return fmt.Errorf("%w: %s", err, progress.Shorten(strings.TrimSpace(text)))
		}
	}
	return fmt.Errorf("%w: %s", err, progress.Shorten(progress.LastLine([]byte(said))))
}

// limited takes the first n bytes, and drops the rest without a word.
type limited struct {
	w io.Writer
	n int
}

func (l *limited) Write(p []byte) (int, error) {
	part := p[:min(len(p), l.n)]
	l.n -= len(part)
	if _, err := l.w.Write(part); err != nil {
		return 0, err
	}
	return len(p), nil
}

package service

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Start is how the program goes on as the account.
type Start struct {
	Program string
	Args    []string // without the program's name
	Home    string   // a folder of the account's
	Env     []string // beside what is kept of root's
}

// Exec gives up root and runs the program in this process, as the account. It returns only if that is not possible.
//
// setpriv, of util-linux, takes every capability and all groups away. Four rights stay within reach of programs with
// the set-user-ID bit, newuidmap and newgidmap, which give machines ids of their own; so no_new_privs is not set.
func (a Account) Exec(s Start) error {
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		return fmt.Errorf("gitd needs setpriv, of Debian's package util-linux, to become the user %s: %w", a.Name, err)
	}
	if err := os.Chdir(s.Home); err != nil { // root's folder may be closed to the account
		return err
	}
	args := append([]string{"setpriv", "--reuid", a.Name, "--regid", fmt.Sprint(a.GID), "--init-groups",
		"--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all,+setuid,+setgid,+dac_override,+sys_admin", "--", s.Program}, s.Args...)
	env := append(keptEnv(os.Environ()), s.Env...)
	env = append(env, "HOME="+s.Home, "USER="+a.Name, "LOGNAME="+a.Name)
	return fmt.Errorf("%s: %w", setpriv, syscall.Exec(setpriv, args, env))
}

// kept are the variables that a gitd keeps when it gives up root; a name that ends in * stands for all that begin so.
// The rest is the environment of somebody's shell.
var kept = []string{
	"PATH", "LANG", "LC_*", "TZ", "TERM", "NO_COLOR", "GITD_*", "LIBVIRT_*",
	"npm_config_*", "NPM_CONFIG_*", "http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
	"SSL_CERT_FILE", "SSL_CERT_DIR",
	"NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC", "INVOCATION_ID", "JOURNAL_STREAM",
	"GOMEMLIMIT", "GOGC", "GODEBUG", "GOTRACEBACK", "GOCOVERDIR",
}

func keptEnv(env []string) (list []string) {
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		if slices.ContainsFunc(kept, func(k string) bool {
			prefix, ok := strings.CutSuffix(k, "*")
			return name == k || ok && strings.HasPrefix(name, prefix)
		}) {
			list = append(list, e)
		}
	}
	return list
}

// Program returns a path of this program that the account can run: its own, or, if that is in a folder of root's, that
// of a copy in the folder bin, which is made or renewed. companions are programs that lie beside it and must lie beside
// the copy; one that does not exist is left out.
func (a Account) Program(self, bin string, companions ...string) (string, error) {
	dir := filepath.Dir(self)
	names := []string{filepath.Base(self)}
	for _, name := range companions {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			names = append(names, name)
		}
	}
	closed := func(name string) bool { return !a.CanRun(filepath.Join(dir, name)) }
	if !slices.ContainsFunc(names, closed) {
		return self, nil
	}
	// Below a folder of the account's, root follows no link out of it.
	root, err := os.OpenRoot(filepath.Dir(bin))
	if err != nil {
		return "", err
	}
	defer root.Close()
	if err := a.ownFolder(root, filepath.Base(bin)); err != nil {
		return "", err
	}
	for _, name := range names {
		if err := a.copy(root, filepath.Join(filepath.Base(bin), name), filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("a copy of %s that %s can run: %w", name, a.Name, err)
		}
	}
	return filepath.Join(bin, names[0]), nil
}

func (a Account) ownFolder(root *os.Root, name string) error {
	if err := root.Mkdir(name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return root.Lchown(name, a.UID, a.GID)
}

// copy renews a copy unless its size and time say that it is the same.
func (a Account) copy(root *os.Root, to, from string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	if there, err := root.Lstat(to); err == nil && there.Size() == info.Size() && there.ModTime().Equal(info.ModTime()) {
		return nil
	}
	fresh := to + ".new"
	if err := root.Remove(fresh); ignoreMissing(err) != nil {
		return err
	}
	dst, err := root.OpenFile(fresh, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = dst.ReadFrom(src)
	err = errors.Join(err, dst.Chown(a.UID, a.GID), dst.Chmod(0o755), dst.Close())
	if err != nil {
		return err
	}
	return errors.Join(root.Chtimes(fresh, info.ModTime(), info.ModTime()), root.Rename(fresh, to))
}

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nodeos-dev/gitd/internal/base/kernel"
)

// bin is the folder with the programs as users have them. TestMain builds them.
var bin string

// TestMain builds gitd and what belongs beside it, because the scripts run the real programs.
func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() { // nothing boots, so nothing is built for it
		os.Exit(m.Run())
	}
	code, err := withBinaries(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withBinaries(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "gitd-bin")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	// One script runs the daemon as another user, who must reach it.
	if err := os.Chmod(dir, 0o755); err != nil {
		return 1, err
	}
	bin = dir
	for _, build := range []*exec.Cmd{
		exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, "gitd"), "github.com/nodeos-dev/gitd/cmd/gitd"),
		exec.Command(filepath.Join("..", "..", "scripts", "build-init"), filepath.Join(dir, "nodeos-init")),
		exec.Command(filepath.Join("..", "..", "scripts", "build-machine"), filepath.Join(dir, "gitd-machine")),
		exec.Command(filepath.Join("..", "..", "scripts", "build-hook"), filepath.Join(dir, "gitd-hook")),
	} {
		if out, err := build.CombinedOutput(); err != nil {
			return 1, fmt.Errorf("%s: %w\n%s", build, err, out)
		}
	}
	return m.Run(), nil
}

// TestScripts runs testdata/script. Each file is what one user types in a terminal, with a daemon of its own.
func TestScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("boots virtual machines")
	}
	warm := warmState(t)
	testscript.Run(t, testscript.Params{
		Dir:       "testdata/script",
		Setup:     func(e *testscript.Env) error { return setup(e, warm) },
		Condition: condition,
		Cmds:      scriptCommands,
	})
}

// scriptCommands are what scripts have beside the commands of testscript.
var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"serve":     cmdServe,
	"tcp":       cmdTCP,
	"logged":    cmdLogged,
	"badlogins": cmdBadLogins,
	"crowd":     cmdCrowd,
	"syslog":    cmdSyslog,
	"scraped":   cmdScraped,
	"receiver":  cmdReceiver,
	"otlp":      cmdOTLP,
	"described": cmdDescribed,
	"kill9":     cmdKill9,
	"folded":    cmdFolded,
	"halt":      cmdHalt,
	"term":      cmdTerm,
	"ended":     cmdEnded,
	"waitlog":   cmdWaitLog,
	"copyapp":   cmdCopyApp,
	"machines":  cmdMachines,
	"killpush":  cmdKillPush,
	"json":      cmdJSON,
	"follow":    cmdFollow,
	"terminal":  cmdTerminal,
	"shows":     cmdShows,
	"type":      cmdType,
	"resize":    cmdResize,
	"left":      cmdLeft,
	"boots":     cmdBoots,
	"rights":    cmdRights,
	"logs":      cmdLogs,
	"recipe":    cmdRecipe,
	"typed":     cmdTyped,
}

// condition answers five questions of scripts. [root]: are the tests run by root? [minimal]: is the minimal kernel
// compiled, so that the warm base has it? [kvm]: does the processor virtualise? [browser]: may a browser be fetched?
// [limits]: may a machine be used up for minutes?
func condition(name string) (bool, error) {
	if name == "root" {
		return os.Geteuid() == 0, nil
	}
	if name == "browser" {
		return *browser, nil
	}
	if name == "limits" {
		return *limits, nil
	}
	if name == "kvm" {
		text, err := os.ReadFile("/proc/cpuinfo")
		return regexp.MustCompile(`(?m)^flags.* (vmx|svm)( |$)`).Match(text), err
	}
	if name != "minimal" {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	_, err := kernel.Config{}.Find()
	if errors.Is(err, kernel.ErrNotCompiled) || errors.Is(err, kernel.ErrCannotCompile) {
		return false, nil
	}
	return err == nil, err
}

// warmState prepares the base once for all scripts and all later runs.
func warmState(t *testing.T) string {
	t.Helper()
	state, _ := warmBase(t)
	return state
}

// warmBase does what warmState does, and returns the base's id too.
func warmBase(t *testing.T) (state, id string) {
	t.Helper()
	cache := "/var/cache" // a build's own user cannot pass through /root
	if os.Geteuid() != 0 {
		var err error
		if cache, err = os.UserCacheDir(); err != nil {
			t.Fatal(err)
		}
	}
	warm := filepath.Join(cache, "gitd-test")
	cmd := exec.Command(filepath.Join(bin, "gitd"), "base:build", "--state", warm)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("base:build: %v\n%s", err, out)
	}
	t.Logf("%s", out)
	ready := regexp.MustCompile(`base ([0-9a-f]{16}) is ready`).FindSubmatch(out)
	if ready == nil {
		t.Fatal("base:build does not say which base is ready")
	}
	return warm, string(ready[1])
}

// setup gives a script a state folder with a warm base, a key, and an environment in which git finds nothing of the
// user who runs the tests.
func setup(e *testscript.Env, warm string) error {
	// The folder is below /tmp and has a short name, because the path of a unix socket has some 100 bytes at most.
	state, err := os.MkdirTemp("/tmp", "gd")
	if err != nil {
		return err
	}
	d := &testDaemon{state: state}
	e.Values[daemonKey{}] = d
	e.Values[receiverKey{}] = &receivers{}
	e.Values[watchedKey{}] = new(*watch)
	e.Values[tcpLoadKey{}] = &tcpLoad{stop: make(chan struct{})}
	followed := &holder{}
	e.Values[followKey{}] = followed
	e.Defer(followed.end)
	e.Defer(func() { d.cleanup(); os.RemoveAll(state); os.RemoveAll(state + "-image") })
	if err := os.Chmod(state, 0o711); err != nil {
		return err
	}
	if out, err := exec.Command("cp", "-al", filepath.Join(warm, "bases"), filepath.Join(warm, "cache"), state).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	// A gitd that another script runs as root gives its folder's files to root, and this one is empty and is written.
	if err := os.Remove(filepath.Join(state, "bases", ".lock")); err != nil {
		return err
	}
	work := e.WorkDir
	for k, v := range map[string]string{
		"PATH":                work + "/bin:" + bin + ":" + os.Getenv("PATH"),
		"HOME":                work,
		"GITD_STATE":          state,
		"GIT_CONFIG_NOSYSTEM": "1",
		"GIT_AUTHOR_NAME":     "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org",
		"GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org",
		"GIT_SSH_COMMAND": "ssh " + sshOptions(work) + " -i " + work + "/id",
	} {
		e.Setenv(k, v)
	}
	if err := keygen(work, "id"); err != nil {
		return err
	}
	return nodeosProgram(work)
}

// nodeosProgram makes the command `nodeos`, which scripts call for "ssh to gitd". It uses the key files in $KEYS, the
// SSH user $AS and the address $FROM.
func nodeosProgram(work string) error {
	text := `#!/bin/sh
set -- 127.0.0.1 "$@"
for k in ${KEYS:-id}; do set -- -i "$WORK/$k" "$@"; done
exec ssh ` + sshOptions(work) + ` -p "$SSH_PORT" -b "${FROM:-127.0.0.1}" -l "${AS:-nodeos}" "$@"
`
	if err := os.Mkdir(filepath.Join(work, "bin"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(work, "bin", "nodeos"), []byte(text), 0o755)
}

// sshOptions keep out everything of the user who runs the tests.
func sshOptions(work string) string {
	return strings.Join([]string{
		"-F", "none", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=no",
		"-o", "StrictHostKeyChecking=accept-new", "-o", "UserKnownHostsFile=" + filepath.Join(work, "known_hosts"),
	}, " ")
}

func keygen(dir, name string) error {
	out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", filepath.Join(dir, name)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ssh-keygen: %w: %s", err, out)
	}
	return nil
}

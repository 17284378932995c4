package builder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/nodeos-dev/gitd/internal/builder/output"
	"github.com/nodeos-dev/gitd/internal/builder/sandbox"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/walls"
)

// step is one command of a build.
type step struct {
	name string   // what people call it, e.g. "npm ci"
	args []string // without the program's path for npm
	app  string   // folder of the host that is /app
	kept string   // folder of the host that is shown at insideKept; empty: none
	env  []string // added to the usual ones

	quiet bool // what it prints is shown only if it fails
}

// errTimeout is the cause of a step's context that ran out of time.
var errTimeout = errors.New("out of time")

// run runs a step to its end. A step that fails is a *core.Rejection.
func (j *job) run(ctx context.Context, s step) error {
	if j.b.box == nil && !j.b.cfg.AllowUnsandboxed {
		return &core.Rejection{
			Reason: "this server cannot build in a sandbox, so it runs no build",
			Hint:   "its operator finds the reason in gitd's log",
			Err:    j.b.boxErr,
		}
	}
	limited, cancel := context.WithTimeoutCause(ctx, j.b.cfg.BuildTimeout, errTimeout)
	defer cancel()
	out := output.New(j.r, j.src.Vars)
	out.Quiet = s.quiet
	var err error
	if j.b.box != nil {
		err = j.b.box.Run(limited, j.boxed(s, out))
	} else {
		err = j.runUnboxed(limited, s, out)
	}
	out.Flush()
	if err == nil || ctx.Err() != nil {
		return err
	}
	return j.failed(s, err, out)
}

// failed tells the pusher how a step ended. Its output has been seen already, unless it is quiet; the end of it goes to
// the log with the cause.
func (j *job) failed(s step, err error, out *output.Output) error {
	last := out.Tail()
	said := strings.Join(last, " | ")
	cause := disk.Explain(fmt.Errorf("%w; its last lines: %s", err, said), said)
	if s.quiet {
		for _, line := range last {
			j.r.Detail("%s", line)
		}
	}
	hint := "its output above says why; repair it, commit, and push again"
	if len(last) == 0 {
		hint = "it printed nothing; run it at your side, repair it, commit, and push again"
	}
	var exit *exec.ExitError
	excess, tooMuch := errors.AsType[*sandbox.Excess](err)
	switch {
	case tooMuch:
		return &core.Rejection{Reason: fmt.Sprintf("build failed: %s %s", s.name, excess.What), Hint: excess.Hint, Err: cause}
	case errors.Is(err, errTimeout):
		return &core.Rejection{
			Reason: fmt.Sprintf("build failed: %s took longer than %s", s.name, shortTime(j.b.cfg.BuildTimeout)),
			Hint:   "a build must end by itself; the time limit is the server's",
			Err:    cause,
		}
	case errors.As(err, &exit):
		return &core.Rejection{
			Reason: fmt.Sprintf("build failed: %s %s", s.name, howEnded(exit)),
			Hint:   hint,
			Err:    cause,
		}
	}
	return fmt.Errorf("run %s: %w", s.name, err)
}

// howEnded names an exit code, or the signal that bubblewrap turned into one
// as a shell does.
func howEnded(exit *exec.ExitError) string {
	code := exit.ExitCode()
	if code > 128 && code < 128+65 {
		return fmt.Sprintf("was ended by signal %d (%s)", code-128, syscall.Signal(code-128))
	}
	if code < 0 {
		return "was ended: " + exit.Error()
	}
	return fmt.Sprintf("exited %d", code)
}

// shortTime writes 15m0s as 15m.
func shortTime(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// boxed is a step as the sandbox takes it.
func (j *job) boxed(s step, out *output.Output) sandbox.Spec {
	mounts := []sandbox.Mount{
		{Host: j.tools.NodeDir, Inside: insideNode},
		{Host: j.tools.NPMDir, Inside: insideNPM},
		{Host: j.shop.path("bin"), Inside: insideBin},
		{Host: j.shop.path("etc/passwd"), Inside: "/etc/passwd"},
		{Host: j.shop.path("etc/group"), Inside: "/etc/group"},
		{Host: j.shop.path("etc/hosts"), Inside: "/etc/hosts"},
		{Host: j.shop.path("home"), Inside: insideHome, Writable: true},
		{Host: j.shop.path("tmp"), Inside: "/tmp", Writable: true},
		{Host: j.store.npmCache(), Inside: insideCache, Writable: true},
		{Host: s.app, Inside: insideApp, Writable: true},
	}
	if j.tools.Manager.Dir != "" {
		mounts = append(mounts, sandbox.Mount{Host: j.tools.Manager.Dir, Inside: insideTool})
	}
	if s.kept != "" {
		mounts = append(mounts, sandbox.Mount{Host: s.kept, Inside: insideKept})
	}
	env := slices.Concat(environment(places{insideNode, insideBin, insideHome, "/tmp", insideCache}), j.beside.BuildVars(), j.vars(s), s.env)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		env = append(env, name+"="+sandbox.ProxyURL)
	}
	return sandbox.Spec{
		Args: append([]string{"/usr/bin/env", "--"}, s.args...), Env: env, Dir: insideApp, Mounts: mounts,
		Shm: j.shop.path("shm"), Output: out, Egress: j.b.egress,
		Memory: j.b.memory, Check: sandbox.Fills(j.shop.dir, j.store.npmCache()),
	}
}

// runUnboxed is the same without walls, for hosts whose operator allows it.
func (j *job) runUnboxed(ctx context.Context, s step, out *output.Output) error {
	args := slices.Clone(s.args)
	for i := range args {
		args[i] = strings.Replace(args[i], insideKept, s.kept, 1)
	}
	cmd := exec.CommandContext(ctx, "/usr/bin/env", append([]string{"--"}, args...)...)
	cmd.Dir = s.app
	cmd.Env = slices.Concat(environment(places{
		j.tools.NodeDir, j.shop.path("bin"), j.shop.path("home"), j.shop.path("tmp"), j.store.npmCache(),
	}), j.beside.BuildVars(), j.vars(s))
	outside := strings.NewReplacer(insideCache, j.store.npmCache(), insideHome, j.shop.path("home"))
	for _, e := range s.env {
		cmd.Env = append(cmd.Env, outside.Replace(e))
	}
	cmd.Stdout, cmd.Stderr = out, out
	walls.Together(cmd)
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// places are the folders that a build's environment names.
type places struct{ node, bin, home, tmp, cache string }

// environment is all that a build finds in process.env, but for the proxy and for job.vars.
func environment(p places) []string {
	env := []string{
		"PATH=" + p.bin + ":" + filepath.Join(p.node, "bin") + ":/usr/local/bin:/usr/bin:/bin",
		"HOME=" + p.home, "TMPDIR=" + p.tmp, "USER=build", "LOGNAME=build", "LANG=C.UTF-8", "CI=true",
		"npm_config_cache=" + p.cache,
		"npm_config_nodedir=" + p.node, // node-gyp finds the headers there, and downloads none
		"npm_config_update_notifier=false", "npm_config_fund=false", "npm_config_audit=false",
		"npm_config_progress=false",
		"HUSKY=0", // there are no git hooks to set, and no .git; older versions of husky fail without it
	}
	// A company's own certificate authority is in the system's list; Node
	// brings a list of its own.
	const bundle = "/etc/ssl/certs/ca-certificates.crt"
	if _, err := os.Stat(bundle); err == nil {
		env = append(env, "NODE_EXTRA_CA_CERTS="+bundle)
	}
	return env
}

package builder

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// typescript is an app that has to be compiled by a devDependency.
func typescript(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	const pkg = `{
  "name": "ts", "version": "1.0.0", "main": "dist/server.js",
  "scripts": {"build": "tsc", "start": "node dist/server.js"},
  "dependencies": {"ms": "2.1.3"},
  "devDependencies": {"typescript": "5.4.5"}
}`
	check(t, os.WriteFile(filepath.Join(dir, "package.json"), []byte(pkg), 0o644))
	// The checksums are npm's, for exactly these versions.
	const lock = `{
  "name": "ts", "version": "1.0.0", "lockfileVersion": 3, "requires": true,
  "packages": {
    "": {"name": "ts", "version": "1.0.0", "dependencies": {"ms": "2.1.3"}, "devDependencies": {"typescript": "5.4.5"}},
    "node_modules/ms": {"version": "2.1.3", "integrity": "sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA=="},
    "node_modules/typescript": {"version": "5.4.5", "dev": true, "integrity": "sha512-vcI4UpRgg81oIRUFwR0WSIHKt11nJ7SAVlYNIu+QpqeyXP+gpQJy/Z4+F0aGxSE4MqwjyXvW/TzgkLAx2AGHwQ==", "bin": {"tsc": "bin/tsc", "tsserver": "bin/tsserver"}}
  }
}`
	return map[string]string{
		"package.json": pkg, "package-lock.json": lock,
		"tsconfig.json": `{"compilerOptions": {"outDir": "dist", "module": "commonjs", "skipLibCheck": true, "types": []}, "files": ["src/server.ts"]}`,
		"src/server.ts": "const greeting: string = 'hello'\nconsole.log(greeting)\n",
	}
}

func TestTypeScript(t *testing.T) {
	b := realBuilder(t)
	repo := newRepository(t)
	m, said, report, err := repo.build(b, "typescript", repo.commit(typescript(t)))
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	t.Logf("cold:\n%s%v", said, report.Steps())
	dir := t.TempDir()
	extract(t, b.cfg.State.Layer(m.Deps.Digest), filepath.Join(dir, "deps"))
	extract(t, b.cfg.State.Layer(m.App.Digest), filepath.Join(dir, "app"))
	for file, want := range map[string]bool{
		"app/dist/server.js": true, "deps/node_modules/ms/index.js": true,
		"deps/node_modules/typescript": false, "app/node_modules": false,
	} {
		if _, err := os.Lstat(filepath.Join(dir, file)); (err == nil) != want {
			t.Errorf("%s is there: %t, want %t", file, err == nil, want)
		}
	}
	next := repo.commit(map[string]string{"src/server.ts": "const n: number = 2\nconsole.log(n)\n"})
	changed, said, report, err := repo.build(b, "typescript", next)
	if err != nil || changed.Deps != m.Deps || changed.App == m.App || strings.Contains(said, "npm ci") {
		t.Errorf("a code-only push: %+v, %v\n%s", changed, err, said)
	}
	t.Logf("code only:\n%s%v", said, report.Steps())

	// A build that writes to node_modules: its result is what is packed.
	generating := repo.commit(map[string]string{"package.json": strings.Replace(typescript(t)["package.json"],
		`"build": "tsc"`, `"build": "tsc && mkdir node_modules/.generated && echo x > node_modules/.generated/client.js"`, 1)})
	generated, said, _, err := repo.build(b, "typescript", generating)
	if err != nil || generated.Deps == m.Deps || strings.Contains(said, "npm ci") {
		t.Errorf("a build that generates: %+v, %v\n%s", generated, err, said)
	}
	again, said, _, err := repo.build(b, "typescript", next)
	if err != nil || again.Deps != m.Deps {
		t.Errorf("the generated files stayed: %+v, %v\n%s", again, err, said)
	}
	nothingLeft(t, b)
}

// scripted builds an app without dependencies whose build script is this.
func scripted(t *testing.T, b *Builder, script string) (core.Manifest, string, error) {
	t.Helper()
	repo := newRepository(t)
	m, said, _, err := repo.build(b, "scripted", repo.commit(map[string]string{
		"package.json": fmt.Sprintf(`{"scripts": {"build": %q, "start": "node server.js"}}`, script),
		"server.js":    "",
	}))
	nothingLeft(t, b)
	return m, said, err
}

func TestFailingBuild(t *testing.T) {
	b := realBuilder(t)
	_, said, err := scripted(t, b, "echo cannot find the thing; printf '\\033[31mred\\n'; exit 7")
	rejected(t, err, "build failed: npm run build exited 7")
	if !strings.Contains(said, "       cannot find the thing\n") || !strings.Contains(said, "       red\n") {
		t.Errorf("the pusher saw:\n%q", said)
	}
	var r *core.Rejection
	if errors.As(err, &r) && (r.Err == nil || !strings.Contains(r.Err.Error(), "cannot find the thing")) {
		t.Errorf("the log would see: %v", r.Err)
	}
}

func TestBuildOutOfTime(t *testing.T) {
	b := *realBuilder(t)
	b.cfg.BuildTimeout = 2 * time.Second
	_, _, err := scripted(t, &b, "while :; do :; done")
	rejected(t, err, "build failed: npm run build took longer than 2s")
}

func TestCancelledBuild(t *testing.T) {
	b := realBuilder(t)
	repo := newRepository(t)
	commit := repo.commit(map[string]string{
		"package.json": `{"scripts": {"build": "echo running; sleep 1000", "start": "node server.js"}}`, "server.js": "",
	})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := b.Build(ctx, image.Source{App: "cancelled", Repo: repo.path, Commit: commit}, progress.NewReport(cancelOn{"running\n", cancel}))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	nothingLeft(t, b)
}

// cancelOn is a pusher's terminal that gives up when it reads a word.
type cancelOn struct {
	word   string
	cancel context.CancelFunc
}

func (c cancelOn) Write(p []byte) (int, error) {
	if strings.HasSuffix(string(p), " "+c.word) {
		c.cancel()
	}
	return len(p), nil
}

// TestHostileScripts: each build script fails unless it is held.
func TestHostileScripts(t *testing.T) {
	b := realBuilder(t)
	secret := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a build reached the host's loopback")
	}))
	defer secret.Close()
	addr := secret.Listener.Addr().String()
	t.Setenv("GITD_ADMIN_PASSWORD", "hunter"+"2")
	check(t, os.WriteFile(filepath.Join(string(b.cfg.State), "gitd.db"), []byte("ledger"), 0o644))
	js := func(code string) string { return `node -e "` + code + `"` }
	for name, script := range map[string]string{
		"host's loopback, directly": js(`require('net').connect(` + strings.TrimPrefix(addr, "127.0.0.1:") + `, '127.0.0.1').on('connect', () => process.exit(1)).on('error', () => process.exit(0))`),
		"host's loopback, by proxy": js(`require('http').get({host: '127.0.0.1', port: 3128, path: 'http://` + addr + `/'}, r => process.exit(r.statusCode === 403 ? 0 : 1))`),
		"gitd's state":              "! ls " + string(b.cfg.State),
		"gitd's ledger":             "! cat " + b.cfg.State.Ledger(),
		"other builds":              "! ls " + b.cfg.State.Builds(),
		"the toolchain":             "! touch /opt/node/bin/x && ! touch /opt/npm/x && ! touch /opt/bin/x",
		"the environment":           "! cat /proc/*/environ | tr '\\0' '\\n' | grep ^GITD_",
	} {
		t.Run(name, func(t *testing.T) {
			if _, said, err := scripted(t, b, script); err != nil {
				t.Errorf("%v\n%s", err, said)
			}
		})
	}
}

// TestLinksOutAreNotFollowed: a build may leave links to anywhere; gitd, who
// may be root, packs them as links.
func TestLinksOutAreNotFollowed(t *testing.T) {
	b := realBuilder(t)
	m, said, err := scripted(t, b, "ln -s /etc/shadow shadow; ln -s / root; ln -s /etc node_modules; mkdir -p locked/x; chmod 0 locked")
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	dir := filepath.Join(t.TempDir(), "app")
	extract(t, b.cfg.State.Layer(m.App.Digest), dir)
	if target, err := os.Readlink(filepath.Join(dir, "shadow")); err != nil || target != "/etc/shadow" {
		t.Errorf("shadow: %q, %v", target, err)
	}
}

// TestOrdinaryUser builds as somebody who is not root, as gitd may run.
func TestOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("all other tests run as an ordinary user already")
	}
	home, cmd := asNobody(t, "^(TestExpress|TestFailingBuild|TestHostileScripts|TestLinksOutAreNotFollowed)$")
	check(t, os.CopyFS(filepath.Join(home, "templates/apps/express"), os.DirFS("../../templates/apps/express")))
	out, err := cmd.CombinedOutput()
	if err != nil || slices.Contains(strings.Fields(string(out)), "SKIP:") {
		t.Errorf("%v\n%s", err, out)
	}
}

// asNobody is a run of these tests as an ordinary user, in a home of its own.
func asNobody(t *testing.T, tests string) (home string, cmd *exec.Cmd) {
	t.Helper()
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		t.Skip(err)
	}
	realBuilder(t) // skips where nothing can be built
	const nobody = "65534"
	home = t.TempDir()
	check(t, os.Chmod(filepath.Dir(home), 0o755))
	check(t, os.Chown(home, 65534, 65534))
	init, err := guestInit()
	check(t, err)
	self, err := os.ReadFile("/proc/self/exe")
	check(t, err)
	binary := filepath.Join(home, "builder.test")
	check(t, os.WriteFile(binary, self, 0o755))
	work := filepath.Join(home, "internal/builder")
	check(t, os.MkdirAll(work, 0o755))
	cmd = exec.CommandContext(t.Context(), setpriv, "--reuid", nobody, "--regid", nobody, "--clear-groups",
		binary, "-test.run", tests, "-test.v")
	cmd.Dir = work
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "GITD_TEST_INIT=" + init}
	return home, cmd
}

// TestWithoutSandbox: no wall, no build, unless the operator says so; an app
// that runs nothing needs no wall.
func TestWithoutSandbox(t *testing.T) {
	b := *realBuilder(t)
	b.box, b.boxErr = nil, errors.New("no bubblewrap")
	_, _, err := scripted(t, &b, "true")
	rejected(t, err, "this server cannot build in a sandbox")
	repo := newRepository(t)
	if _, said, _, err := repo.build(&b, "plain", repo.commit(starter(t, "hello"))); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	b.cfg.AllowUnsandboxed = true
	repo = newRepository(t)
	if _, said, _, err := repo.build(&b, "open", repo.commit(typescript(t))); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	nothingLeft(t, &b)
}

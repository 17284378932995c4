package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// balancer says that TestBalancer tells the whole story.
var balancer = flag.Bool("balancer", false, "the second part of TestBalancer: config, newer packages under load, and a disk")

// TestBalancer is what somebody does who has two apps and puts a balancer before them, from `gitd new` on: all three
// are made from starters, and the balancer reaches the apps as everybody does, by their names at the front door. That
// door listens on an address of a network that the test makes: a machine does not reach its host's loopback.
func TestBalancer(t *testing.T) {
	if testing.Short() {
		t.Skip("boots virtual machines")
	}
	t.Parallel()
	room := newNetRoom(t)
	s := &story{rig: newRig(t, room.program(t, filepath.Join(bin, "gitd")), ""), room: room, get: room.client(t, true)}
	s.http, s.daemon = roomAddress+":0", []string{room.registryProxy(t), "NO_PROXY=127.0.0.1"}
	s.env = append(s.env, "GITD_STATE="+s.state)
	for i, v := range s.env {
		s.env[i] = strings.Replace(v, "GIT_SSH_COMMAND=ssh", "GIT_SSH_COMMAND=nsenter --net="+room.name+" ssh", 1)
	}
	s.serve()
	s.admit()

	s.apps("one", "two")
	s.begin("load-balancer", "lb")
	s.edit("lb", "the backends", map[string]string{"config/backends.json": s.backends("one", "two")})
	s.deploy()
	s.opensTheFrontDoor()
	s.takesTurns()
	s.one("dies")
	if !*balancer {
		t.Log("config, newer packages under load, and a disk: make test-balancer")
		s.halt()
		return
	}
	s.one("returns")
	s.configWins()
	s.newerPackages()
	s.halt()
	s.bootsAlone()
}

// story is the rig, and what the story's steps need beside it.
type story struct {
	*rig

	room *netRoom
	get  *http.Client
}

// begin makes a working copy from a starter, as a person does.
func (s *story) begin(starter, app string) {
	s.t.Helper()
	cmd := exec.Command(s.program, "new", starter, app)
	cmd.Dir, cmd.Env = s.work, s.env
	s.must(cmd)
	s.git(app, "remote", "add", "nodeos", "ssh://nodeos@"+s.ssh+"/"+app)
}

// apps makes and pushes apps that say their names.
func (s *story) apps(names ...string) {
	s.t.Helper()
	var all []*push
	for _, name := range names {
		s.begin("hello", name)
		server := filepath.Join(s.work, name, "server.js")
		text, err := os.ReadFile(server)
		if err != nil {
			s.t.Fatal(err)
		}
		s.edit(name, "my name", map[string]string{"server.js": strings.Replace(string(text), "Hello from NodeOS", "Hello from "+name, 1)})
		all = append(all, s.push(name, "main"))
	}
	for _, p := range all {
		if <-p.done; p.err != nil {
			s.t.Fatalf("%v\n%s", p.err, p.out)
		}
	}
}

// backends is the balancer's file. The names of apps lead nowhere without DNS, so it says where to connect to.
func (s *story) backends(names ...string) string {
	type backend struct {
		URL string `json:"url"`
		Via string `json:"via"`
	}
	var list []backend
	for _, name := range names {
		list = append(list, backend{s.url(name), "http://" + s.http})
	}
	text, err := json.MarshalIndent(map[string]any{"backends": list, "health": map[string]int{"interval": 500, "timeout": 10_000}}, "", "  ")
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text) + "\n"
}

func (s *story) url(app string) string {
	return "http://" + app + ".localhost:" + s.http[strings.LastIndexByte(s.http, ':')+1:]
}

// ask asks the balancer, and returns the name of the app that answered.
func (s *story) ask(c *http.Client) (string, error) {
	status, body, err := s.rig.get(c, "lb", "/")
	if err != nil {
		return "", err
	}
	var name string
	if _, err := fmt.Sscanf(body, "Hello from %s", &name); status != http.StatusOK || err != nil {
		return "", fmt.Errorf("%d: %s", status, body)
	}
	return name, nil
}

// answered is who answers n requests, one after the other.
func (s *story) answered(n int) string {
	s.t.Helper()
	var names []string
	for range n {
		name, err := s.ask(s.get)
		if err != nil {
			s.t.Fatalf("%v\n%s", err, s.gitd("logs", "lb", "-n", "20"))
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

// opensTheFrontDoor: the host's own addresses are closed to machines, the app's log says so with the line to type, and
// that line counts at once.
func (s *story) opensTheFrontDoor() {
	s.t.Helper()
	closed := "tcp to " + s.http + " is closed"
	err := s.eventually(func() error {
		if log := s.gitd("logs", "lb", "-n", "100"); !strings.Contains(log, closed) || !strings.Contains(log, "network:allow lb "+s.http) {
			return fmt.Errorf("no word that %s:\n%s", closed, log)
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if name, err := s.ask(s.get); err == nil {
		s.t.Errorf("the balancer reached %s through a closed address", name)
	}
	s.gitd("network:allow", "lb", s.http)
	if err := s.eventually(func() error { _, err := s.ask(s.get); return err }); err != nil {
		s.t.Fatalf("the front door stays closed: %v", err)
	}
}

// takesTurns: six requests, one after the other, are answered in turn. On a busy host a check of a backend may take too
// long, and the backend is out for a moment.
func (s *story) takesTurns() {
	s.t.Helper()
	err := s.eventually(func() error {
		if got := s.answered(6); got != "one two one two one two" && got != "two one two one two one" {
			return fmt.Errorf("the apps do not take turns: %s", got)
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// one stops or starts the app of this name. No request of those that come meanwhile fails.
func (s *story) one(what string) {
	s.t.Helper()
	load := s.startLoad()
	if what == "dies" {
		s.gitd("ps:stop", "one")
		if got := s.answered(6); got != "two two two two two two" {
			s.t.Errorf("one is stopped, and there answered %s", got)
		}
	} else {
		s.gitd("ps:start", "one")
		err := s.eventually(func() error {
			name, err := s.ask(s.get)
			if err == nil && name != "one" {
				err = fmt.Errorf("%s answers", name)
			}
			return err
		})
		if err != nil {
			s.t.Errorf("one is back, and gets no request: %v", err)
		}
	}
	load.stop("one " + what)
}

// configWins sets other backends than the file has.
func (s *story) configWins() {
	s.t.Helper()
	load := s.startLoad()
	s.gitd("config:set", "lb", "BACKENDS="+s.url("two"), "BACKENDS_VIA=http://"+s.http)
	if got := s.answered(4); got != "two two two two" {
		s.t.Errorf("BACKENDS names two only, and there answered %s", got)
	}
	s.gitd("config:unset", "lb", "BACKENDS", "BACKENDS_VIA")
	load.stop("config is changed twice")
	s.takesTurns()
}

// deploy is what the balancer's README says for a push.
func (s *story) deploy() {
	s.t.Helper()
	if said := s.npm()("run", "deploy"); !liveLine.MatchString(said) {
		s.t.Fatalf("npm run deploy: %s", said)
	}
}

// newerPackages is `npm update`, and a push of what it changed, under load.
func (s *story) newerPackages() {
	s.t.Helper()
	npm := s.npm()
	npm("pkg", "set", "dependencies.pino=10.0.0")
	npm("install", "--package-lock-only")
	before := s.lock()
	npm("pkg", "set", "dependencies.pino=^10.0.0")
	npm("update", "--package-lock-only")
	if s.lock() == before {
		s.t.Fatal("npm update has changed nothing")
	}
	s.git("lb", "commit", "-qam", "newer packages")
	npm("run", "install")
	npm("test")
	load := s.startLoad()
	s.deploy()
	s.takesTurnsUnderLoad()
	load.stop("newer packages are deployed")
}

// takesTurnsUnderLoad: with other requests between them, those of one client are not in turn, but both apps answer.
func (s *story) takesTurnsUnderLoad() {
	s.t.Helper()
	if got := s.answered(20); !strings.Contains(got, "one") || !strings.Contains(got, "two") {
		s.t.Errorf("there answered %s", got)
	}
}

func (s *story) lock() string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.work, "lb", "package-lock.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// npm runs the npm of the warm base in the balancer's working copy. The host may have none.
func (s *story) npm() func(args ...string) string {
	s.t.Helper()
	tools := s.t.TempDir()
	m := newCompatMaker(s.t, s.rig)
	script := "#!/bin/sh\nexec " + m.node + "/bin/node " + m.npm + "/bin/npm-cli.js \"$@\"\n"
	if err := os.WriteFile(filepath.Join(tools, "npm"), []byte(script), 0o755); err != nil {
		s.t.Fatal(err)
	}
	return func(args ...string) string {
		s.t.Helper()
		cmd := exec.Command(filepath.Join(tools, "npm"), args...)
		cmd.Dir = filepath.Join(s.work, "lb")
		cmd.Env = append(slices.Clone(s.env), "PATH="+tools+":"+m.node+"/bin:"+bin+":"+os.Getenv("PATH"), "NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt")
		for _, v := range os.Environ() {
			if name, _, _ := strings.Cut(strings.ToLower(v), "="); name == "npm_config_registry" || strings.HasSuffix(name, "_proxy") {
				cmd.Env = append(cmd.Env, v)
			}
		}
		return s.must(cmd)
	}
}

// requests are clients of the balancer that ask it all the time.
type requests struct {
	s    *story
	end  context.CancelFunc
	work sync.WaitGroup

	mu     sync.Mutex
	sent   int
	failed []error
}

// startLoad starts a few clients: on an emulated processor, more of them would measure nothing but the queue.
func (s *story) startLoad() *requests {
	ctx, end := context.WithCancel(s.t.Context())
	l := &requests{s: s, end: end}
	for i := range 4 {
		client := s.room.client(s.t, i%2 == 0)
		l.work.Go(func() { l.run(ctx, client) })
	}
	return l
}

func (l *requests) run(ctx context.Context, client *http.Client) {
	pace := time.NewTicker(100 * time.Millisecond)
	defer pace.Stop()
	for ctx.Err() == nil {
		begun := time.Now()
		_, err := l.s.ask(client)
		l.mu.Lock()
		l.sent++
		if err != nil {
			l.failed = append(l.failed, fmt.Errorf("after %s: %w", time.Since(begun), err))
		}
		l.mu.Unlock()
		select {
		case <-pace.C:
		case <-ctx.Done():
		}
	}
}

// stop ends the load. No request may have failed.
func (l *requests) stop(while string) {
	l.s.t.Helper()
	l.end()
	l.work.Wait()
	l.s.t.Logf("while %s: %d requests, %d failed", while, l.sent, len(l.failed))
	for _, err := range l.failed {
		l.s.t.Errorf("while %s: %v", while, err)
	}
	if l.sent < 10 {
		l.s.t.Errorf("while %s: %d requests are no load", while, l.sent)
	}
}

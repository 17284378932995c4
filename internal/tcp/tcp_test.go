package tcp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/guestport"
	"github.com/nodeos-dev/gitd/internal/core/offer"
)

// limit bounds each wait for something that must happen.
const limit = 10 * time.Second

// fakeMachine has a machine's second door, behind which an app answers each line with its name.
type fakeMachine struct {
	name string
	addr string
	l    net.Listener

	mu   sync.Mutex
	port int // at which the app listens; 0: at none
}

func newMachine(t *testing.T, name string, port int) *fakeMachine {
	t.Helper()
	m := &fakeMachine{name: name, addr: filepath.Join(t.TempDir(), "app"), port: port}
	var err error
	if m.l, err = net.Listen("unix", guestport.Door(m.addr)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.l.Close() })
	go func() {
		for {
			c, err := m.l.Accept()
			if err != nil {
				return
			}
			go m.serve(c)
		}
	}()
	return m
}

func (m *fakeMachine) serve(c net.Conn) {
	defer c.Close()
	port, _, err := guestport.Read(c)
	m.mu.Lock()
	listens := int(port) == m.port
	m.mu.Unlock()
	if err != nil || !listens || guestport.Confirm(c) != nil {
		return
	}
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		if lines.Text() == "wait" {
			continue // an answer that takes its time
		}
		if _, err := fmt.Fprintln(c, m.name, lines.Text()); err != nil {
			return
		}
	}
}

// world is a router with one app, db.
type world struct {
	*Router
	t *testing.T

	mu    sync.Mutex
	offer offer.Offer
}

func newWorld(t *testing.T, l Limits) *world {
	t.Helper()
	w := &world{t: t, offer: offer.Offer{Web: 5432, Expose: core.Expose{TCP: []int{5432}, NoHTTP: true}}}
	w.Router = New(Config{
		Offer: func(context.Context, string) (offer.Offer, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.offer, nil
		},
		Listen: func(port int) (net.Listener, error) { return net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)) },
		Limits: l, Log: zerolog.Nop(),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return w
}

// opens gives db a port of the host, and returns its address.
func (w *world) opens() string {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	defer l.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.offer.Hosts = []offer.HostPort{{App: "db", Host: l.Addr().(*net.TCPAddr).Port, Port: 5432}}
	return l.Addr().String()
}

// client is one connection.
type client struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	return &client{t, c, bufio.NewReader(c)}
}

func (c *client) ask(text string) (string, error) {
	if _, err := fmt.Fprintln(c, text); err != nil {
		return "", err
	}
	line, err := c.r.ReadString('\n')
	return strings.TrimSpace(line), err
}

func (c *client) wants(text, want string) {
	c.t.Helper()
	if got, err := c.ask(text); err != nil || got != want {
		c.t.Errorf("%s: %q, %v, want %q", text, got, err, want)
	}
}

func (c *client) ended() {
	c.t.Helper()
	if b, err := c.r.ReadByte(); err == nil {
		c.t.Errorf("got %q, want the end", b)
	} else if n, is := errors.AsType[net.Error](err); is && n.Timeout() {
		c.t.Error("the connection goes on")
	}
}

// TestSwitch: new connections go to the new machine, and those that are at work end on the old one before its drain
// does; one of a pool, for which nobody waits, is closed.
func TestSwitch(t *testing.T) {
	w := newWorld(t, Limits{})
	addr := w.opens()
	one, two := newMachine(t, "one", 5432), newMachine(t, "two", 5432)
	w.Switch("db", []string{one.addr})
	busy, idle := dial(t, addr), dial(t, addr)
	busy.wants("a", "one a")
	idle.wants("b", "one b")
	fmt.Fprintln(busy, "wait")
	drain := w.Switch("db", []string{two.addr})
	dial(t, addr).wants("c", "two c")
	drained := make(chan struct{})
	go func() { drain(t.Context()); close(drained) }()
	idle.ended()
	busy.wants("d", "one d") // whatever its time
	select {
	case <-drained:
	case <-time.After(limit):
		t.Error("the drain goes on")
	}
	if n := w.Connections("db"); n > 1 {
		t.Errorf("%d connections are left", n)
	}
}

// TestDrainCuts: what does not end in time is cut.
func TestDrainCuts(t *testing.T) {
	w := newWorld(t, Limits{})
	addr := w.opens()
	w.Switch("db", []string{newMachine(t, "one", 5432).addr})
	c := dial(t, addr)
	c.wants("a", "one a")
	fmt.Fprintln(c, "wait")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.Down("db", "it was stopped")(ctx)
	c.ended()
	dial(t, addr).ended()
}

// TestHold: connections wait for the next machine, and are answered by it.
func TestHold(t *testing.T) {
	w := newWorld(t, Limits{})
	addr := w.opens()
	w.Switch("db", []string{newMachine(t, "one", 5432).addr})
	w.Hold("db", limit, nil)
	c := dial(t, addr)
	if _, err := fmt.Fprintln(c, "a"); err != nil {
		t.Fatal(err)
	}
	w.Switch("db", []string{newMachine(t, "two", 5432).addr})
	if line, err := c.r.ReadString('\n'); err != nil || line != "two a\n" {
		t.Errorf("got %q, %v", line, err)
	}
	w.Hold("db", time.Millisecond, nil)
	dial(t, addr).ended()
}

// TestBalance: connections go round, and past a machine that takes none.
func TestBalance(t *testing.T) {
	w := newWorld(t, Limits{})
	addr := w.opens()
	w.Switch("db", []string{newMachine(t, "one", 5432).addr, newMachine(t, "deaf", 0).addr, newMachine(t, "two", 5432).addr})
	got := map[string]int{}
	for range 12 {
		line, err := dial(t, addr).ask("a")
		if err != nil {
			t.Fatal(err)
		}
		got[line]++
	}
	if got["one a"] < 4 || got["two a"] < 4 || len(got) != 2 {
		t.Errorf("%v", got)
	}
}

// TestRename: an app that is renamed keeps its ports and its connections, and one that is removed does not.
func TestRename(t *testing.T) {
	w := newWorld(t, Limits{})
	addr := w.opens()
	one := newMachine(t, "one", 5432)
	w.Switch("db", []string{one.addr})
	c := dial(t, addr)
	c.wants("a", "one a")
	w.Switch("store", []string{one.addr})
	w.Remove("db")
	c.wants("b", "one b")
	dial(t, addr).wants("c", "one c")
	if use := w.Use(); len(use) != 1 || use[0].App != "store" || use[0].Now != 2 {
		t.Errorf("%+v", use)
	}
	w.Remove("store")
	refusedSoon(t, addr)
}

// refusedSoon waits until a port is closed.
func refusedSoon(t *testing.T, addr string) {
	t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		c.Close()
	}
	t.Errorf("%s stays open", addr)
}

// TestReload: a port that is taken away is closed with what is connected there, and one that is given is open at once.
func TestReload(t *testing.T) {
	w := newWorld(t, Limits{})
	w.Switch("db", []string{newMachine(t, "one", 5432).addr})
	addr := w.opens()
	w.Reload("db")
	c := dial(t, addr)
	c.wants("a", "one a")
	w.mu.Lock()
	w.offer.Hosts = nil
	w.mu.Unlock()
	w.Reload("db")
	c.ended()
	refusedSoon(t, addr)
}

// TestReserve: a port that another program has, or another app, is refused with the reason; one that becomes free is
// opened.
func TestReserve(t *testing.T) {
	w := newWorld(t, Limits{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	p := offer.HostPort{App: "db", Host: port, Port: 5432}
	if err := w.Reserve(p); err == nil || !strings.Contains(err.Error(), "in use by another program") {
		t.Errorf("a port in use: %v", err)
	}
	w.mu.Lock()
	w.offer.Hosts = []offer.HostPort{p}
	w.mu.Unlock()
	w.Switch("db", []string{newMachine(t, "one", 5432).addr})
	if use := w.Use(); len(use) != 1 || use[0].Why == "" {
		t.Errorf("%+v", use)
	}
	l.Close()
	if err := w.Reserve(p); err != nil {
		t.Errorf("a port that is free again: %v", err)
	}
	dial(t, l.Addr().String()).wants("a", "one a")
	if err := w.Reserve(offer.HostPort{App: "thief", Host: port, Port: 5432}); err == nil {
		t.Error("two apps have one port")
	}
}

// TestIdle: a connection through which nothing comes ends, and one that is used does not.
func TestIdle(t *testing.T) {
	w := newWorld(t, Limits{Idle: 300 * time.Millisecond})
	addr := w.opens()
	w.Switch("db", []string{newMachine(t, "one", 5432).addr})
	idle, used := dial(t, addr), dial(t, addr)
	over := make(chan struct{})
	go func() { idle.ended(); close(over) }()
	for n := 0; ; n++ {
		used.wants("a", "one a")
		select {
		case <-over:
			if n < 2 {
				t.Errorf("ended after %d answers", n)
			}
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// TestCarry: what linked apps reach, and what they are told of the rest.
func TestCarry(t *testing.T) {
	w := newWorld(t, Limits{})
	w.offer = offer.Offer{Web: 3000, Expose: core.Expose{TCP: []int{5432}, Internal: []int{6379}}}
	carry := func(app string, port int) (string, error) {
		ours, theirs := unixPair(t)
		brought := false
		done := make(chan error, 1)
		go func() {
			done <- w.Carry(t.Context(), app, "app shop", port, func(context.Context) (net.Conn, error) { brought = true; return theirs, nil })
		}()
		c := &client{t, ours, bufio.NewReader(ours)}
		select {
		case err := <-done:
			return "", err
		case <-time.After(100 * time.Millisecond): // it waits for us
		}
		got, err := c.ask("a")
		ours.Close()
		if err == nil {
			err = <-done
		}
		if !brought {
			t.Error("nothing was brought")
		}
		return got, err
	}
	if _, err := carry("db", 5432); core.LinkReason(err) != "does not run" {
		t.Errorf("an app that does not run: %v", err)
	}
	w.Switch("db", []string{newMachine(t, "one", 3000).addr})
	for _, port := range []int{80, 3000} {
		if got, err := carry("db", port); got != "one a" || err != nil {
			t.Errorf("%d: %q, %v", port, got, err)
		}
	}
	if _, err := carry("db", 22); core.LinkReason(err) != "does not offer that port: it offers 80, 3000, 5432, 6379" {
		t.Errorf("another port: %v", err)
	}
	if _, err := carry("db", 6379); core.LinkReason(err) != "does not listen on that port" {
		t.Errorf("a port at which nothing listens: %v", err)
	}
	w.Down("db", "it was stopped")
	if _, err := carry("db", 5432); core.LinkReason(err) != "does not run: it was stopped" {
		t.Errorf("an app that was stopped: %v", err)
	}
}

func unixPair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "pair"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("unix", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	if err := a.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	return a, b
}

// TestAttackFlood: one client opens connections without end. It has half of the app's places, others have the rest, and
// all are given back.
func TestAttackFlood(t *testing.T) {
	w := newWorld(t, Limits{Conns: 8})
	addr := w.opens()
	w.Switch("db", []string{newMachine(t, "one", 5432).addr})
	var held []*client
	for range 4 {
		c := dial(t, addr)
		c.wants("a", "one a")
		held = append(held, c)
	}
	for range 200 {
		if c, err := net.Dial("tcp", addr); err == nil { // it may be reset before it is here
			c.Read(make([]byte, 1)) //nolint:errcheck // it is reset, which is counted below
			c.Close()
		}
	}
	if leave, ok := w.crowd.enter("db", "another address"); !ok {
		t.Error("others have no place")
	} else {
		leave()
	}
	for _, c := range held {
		c.Close()
	}
	if use := w.Use(); use[0].Refused != 200 {
		t.Errorf("%+v", use)
	}
	for end := time.Now().Add(limit); ; {
		if got, err := say(addr); err == nil && got == "one b\n" {
			break
		} else if time.Now().After(end) {
			t.Fatalf("the places are not given back: %q, %v", got, err)
		}
	}
}

// say is one connection that may be reset.
func say(addr string) (string, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := io.WriteString(c, "b\n"); err != nil {
		return "", err
	}
	return bufio.NewReader(c).ReadString('\n')
}

// TestHalfClose: an end of one direction is passed on, and the other goes on.
func TestHalfClose(t *testing.T) {
	w := newWorld(t, Limits{})
	addr := w.opens()
	w.Switch("db", []string{newMachine(t, "one", 5432).addr})
	c := dial(t, addr)
	if _, err := io.WriteString(c, strings.Repeat("x\n", 10_000)); err != nil {
		t.Fatal(err)
	}
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil || len(b) != len("one x\n")*10_000 {
		t.Errorf("got %d bytes, %v", len(b), err)
	}
}

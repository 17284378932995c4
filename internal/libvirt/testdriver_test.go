package libvirt

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/latch"
	"github.com/nodeos-dev/gitd/internal/libvirt/console"
	"github.com/nodeos-dev/gitd/internal/libvirt/jails"
	"github.com/nodeos-dev/gitd/internal/libvirt/session"
)

// TestOwnership uses libvirt's own test driver. It shows which domains gitd takes for its own, and that it never
// touches others.
func TestOwnership(t *testing.T) {
	if testing.Short() {
		t.Skip("needs libvirt")
	}
	log := zerolog.New(zerolog.NewTestWriter(t))
	if err := session.StartEventLoop(log, filepath.Join(state.Libvirt(), "libvirt.log")); err != nil {
		t.Fatal(err)
	}
	d := &Driver{machineFiles: machineFiles{state: state, jails: &jails.Jails{}}, owner: "/ours", log: log}
	if err := open(t.Context(), d, "test:///default"); err != nil { // has a domain "test"
		t.Fatal(err)
	}
	conn := linkOf(t, d).Conn
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	create(t, conn, "shop-v1-aa", "/ours")
	create(t, conn, "shop-v2-bb", "/theirs")

	list, err := d.List(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != "shop-v1-aa" || list[0].Addr != "@shop" {
		t.Errorf("List: %+v, %v", list, err)
	}
	for _, id := range []string{"test", "shop-v2-bb", "nobody", "../../x"} {
		if err := d.Stop(t.Context(), id, 0); err != nil {
			t.Errorf("Stop %s: %v", id, err)
		}
	}
	if n := active(t, conn); n != 3 {
		t.Errorf("%d domains run, want 3: one that is not ours was stopped", n)
	}
	if err := d.Stop(t.Context(), "shop-v1-aa", 0); err != nil {
		t.Error(err)
	}
	if n := active(t, conn); n != 2 {
		t.Errorf("%d domains run, want 2: ours was not stopped", n)
	}
}

// TestGoneByLifecycle: an event from libvirt is enough to know that a machine is gone.
func TestGoneByLifecycle(t *testing.T) {
	d := &Driver{}
	m := newMachine("shop-v1-aa", func(core.Event) {}, console.Log{Path: "/nonexistent"}, zerolog.Nop())
	if err := d.add(m); err != nil {
		t.Fatal(err)
	}
	if err := d.add(newMachine(m.id, nil, console.Log{}, zerolog.Nop())); err == nil {
		t.Error("a second watch on one machine was accepted")
	}
	d.lifecycle("other", &libvirt.DomainEventLifecycle{Event: libvirt.DOMAIN_EVENT_STOPPED})
	d.lifecycle(m.id, &libvirt.DomainEventLifecycle{Event: libvirt.DOMAIN_EVENT_SHUTDOWN})
	if !latch.Closed(m.powered) || latch.Closed(m.gone) {
		t.Error("a shutdown is not the end")
	}
	for range 2 { // events may come twice
		d.lifecycle(m.id, &libvirt.DomainEventLifecycle{Event: libvirt.DOMAIN_EVENT_STOPPED, Detail: int(libvirt.DOMAIN_EVENT_STOPPED_CRASHED)})
	}
	if !latch.Closed(m.gone) {
		t.Error("a stopped domain is not gone")
	}
}

// linkOf returns the connection of d, which must not change.
func linkOf(t *testing.T, d *Driver) (l *session.Link) {
	t.Helper()
	err := d.session.With(t.Context(), func(now *session.Link) error {
		l = now
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func create(t *testing.T, conn *libvirt.Connect, id, owner string) {
	t.Helper()
	mark := fmt.Sprintf(`<g:machine xmlns:g='%s' owner='%s' app='shop' release='1' door='@shop' started='%s'/>`,
		namespace, owner, time.Now().Format(time.RFC3339))
	dom, err := conn.DomainCreateXML(fmt.Sprintf(
		`<domain type='test'><name>%s</name><metadata>%s</metadata><memory>1024</memory><os><type>hvm</type></os></domain>`, id, mark), 0)
	if err != nil {
		t.Fatal(err)
	}
	free(dom)
}

func active(t *testing.T, conn *libvirt.Connect) int {
	t.Helper()
	all, err := conn.ListAllDomains(libvirt.CONNECT_LIST_DOMAINS_ACTIVE)
	if err != nil {
		t.Fatal(err)
	}
	for _, dom := range all {
		free(&dom)
	}
	return len(all)
}

func TestConnectFailureExplainsItself(t *testing.T) {
	if testing.Short() {
		t.Skip("needs libvirt")
	}
	_, err := New(context.Background(), Config{URI: "nonsense:///x", State: state, Machine: program, Log: zerolog.Nop()})
	if err == nil || !strings.Contains(err.Error(), "connect to libvirt at nonsense:///x") {
		t.Errorf("got %v", err)
	}
}

package main

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/guest"
)

const (
	// The sockets are looked at this often until the app listens: often at first, because a push waits for it.
	listenPoll     = 20 * time.Millisecond
	listenPollSlow = 250 * time.Millisecond
	listenSlowFrom = 20 * time.Second
)

// listenNews is told of where an app listens, of each thing once at most in a run.
type listenNews struct {
	listening func(where netip.AddrPort) // the host reaches the app; where is its address if connections are led there
	say       func(text string)
	misplaced func(where netip.AddrPort) // it listens where connections cannot be led
}

// door is the port at which the host connects. It lasts for as long as the machine, through all runs of the app.
type door struct {
	port   int
	served atomic.Uint32 // the port to which connections were led last: there is no doubt about it the next time
}

// watch looks where the app listens until that is its port, or ctx ends. An app that listens elsewhere gets the
// connections there; from then on watch looks whether it still does. An app that listens on its port costs nothing.
func (d *door) watch(ctx context.Context, tell listenNews) {
	v := &visit{door: d, tell: tell, settling: newSettling(d.port)}
	defer v.stop()
	for began := time.Now(); !v.look(time.Now(), listeningSockets()); {
		pause := listenPoll
		if v.led.inode != "" || time.Since(began) > listenSlowFrom {
			pause = listenPollSlow
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// visit is a watch over one run of the app.
type visit struct {
	*door

	tell      listenNews
	settling  *settling
	steering  *steering // nil: connections go to the port
	relay     *relay    // nil: the app itself takes them
	led       listener  // where they are led
	refused   listener  // where they cannot be led
	announced bool
	advised   bool
}

// look is told what listens now, and reports whether all is as it should be for good.
func (v *visit) look(now time.Time, sockets []listener) (done bool) {
	if v.relay != nil {
		sockets = slices.DeleteFunc(sockets, func(l listener) bool { return l.Port() == v.relay.port })
	}
	if reachable(sockets, v.port) {
		if v.steering != nil {
			v.tell.say(fmt.Sprintf("the app listens on port %d now: connections go there", v.port))
		}
		v.stop()
		v.announce(netip.AddrPort{})
		return true
	}
	if v.led.inode != "" && slices.Contains(sockets, v.led) {
		return false
	}
	v.led = listener{}
	v.adviseAside(sockets)
	where, sure := v.settling.look(now, sockets, uint16(v.served.Load()))
	if sure && where != v.refused {
		v.lead(where, sockets)
	}
	return false
}

// lead leads connections to where.
func (v *visit) lead(where listener, sockets []listener) {
	if err := v.steer(where); err != nil {
		if v.refused.inode == "" {
			v.tell.misplaced(where.AddrPort)
		}
		v.refused = where
		v.tell.say(fmt.Sprintf("the app listens on %s and not on port %d, and requests cannot be led there (%v): "+
			"listen on process.env.PORT, on all addresses (0.0.0.0 or ::)", where, v.port, err))
		return
	}
	v.led, v.refused = where, listener{}
	if v.served.Swap(uint32(where.Port())) != uint32(where.Port()) {
		v.tell.say(guest.LedTo(where.AddrPort, v.port) + alsoListens(sockets, where))
	}
	v.announce(where.AddrPort)
}

// steer has the kernel lead connections to where.
func (v *visit) steer(where listener) error {
	fd, err := takeSocket(where.inode)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	v.endRelay()
	// A socket that is bound to ::1 takes IPv6 only, whether it was asked to or not.
	if only, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY); err == nil && only != 0 {
		if v.relay, err = newRelay(where.AddrPort); err != nil {
			return err
		}
	}
	if v.steering == nil {
		if v.steering, err = newSteering(v.port); err != nil {
			return err
		}
	}
	if v.relay != nil {
		return v.steering.to(v.relay.listener)
	}
	return v.steering.to(fd)
}

func (v *visit) endRelay() {
	if v.relay != nil {
		v.relay.stop()
		v.relay = nil
	}
}

func (v *visit) announce(where netip.AddrPort) {
	if !v.announced {
		v.announced = true
		v.tell.listening(where)
	}
}

func (v *visit) stop() {
	v.endRelay()
	if v.steering != nil {
		v.steering.close()
		v.steering = nil
	}
}

// adviseAside explains, once, why nothing happens while the app listens only where debuggers and metrics are, and not
// for itself only.
func (v *visit) adviseAside(sockets []listener) {
	if v.advised {
		return
	}
	if l, only := v.settling.aside(sockets); only {
		v.advised = true
		v.tell.say(fmt.Sprintf("the app listens on port %d only, where debuggers and metrics are: listen on process.env.PORT, "+
			`or write "nodeos": {"port": %[1]d} into package.json`, l.Port()))
	}
}

// alsoListens says how to choose another of several ports.
func alsoListens(sockets []listener, where listener) string {
	var others []string
	for _, s := range sockets {
		if text := strconv.Itoa(int(s.Port())); s.Port() != where.Port() && !slices.Contains(others, text) {
			others = append(others, text)
		}
	}
	if len(others) == 0 {
		return ""
	}
	return fmt.Sprintf(`; it listens on %s too: "nodeos": {"port": N} in package.json chooses`, strings.Join(others, ", "))
}

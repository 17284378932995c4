package bridge

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/inward"
)

// bridged says whether the kernel shows iptables what crosses a bridge. It is not there until the first machine's
// filter has the kernel load br_netfilter, which sets it.
const bridged = "/proc/sys/net/bridge/bridge-nf-call-iptables"

// filtered fails if the filters that judge connections see nothing. machines is how many have such filters.
func filtered(machines int) error {
	text, err := os.ReadFile(bridged)
	if err == nil && strings.TrimSpace(string(text)) == "1" || errors.Is(err, fs.ErrNotExist) && machines == 0 {
		return nil
	}
	return core.Reject("the filters of machines on libvirt's network see no packets: "+bridged+" is not 1",
		"as root: modprobe br_netfilter, then sysctl -w net.bridge.bridge-nf-call-iptables=1, also in /etc/sysctl.d")
}

// tendPeriod is how long the network may be gone, or an address of the host be new, before gitd sees it.
const tendPeriod = 5 * time.Second

// Tend looks after the network until ctx ends: it makes it again if it was destroyed, and closes new addresses of the
// host.
func (n *Net) Tend(ctx context.Context) {
	if n == nil {
		return
	}
	tick := time.NewTicker(tendPeriod)
	defer tick.Stop()
	var last []string
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := n.with(ctx, func(conn *libvirt.Connect) error { return n.heal(conn, &last) })
		n.note(err)
	}
}

// heal is one look.
func (n *Net) heal(conn *libvirt.Connect, last *[]string) error {
	if err := n.reconnect(conn); err != nil {
		return err
	}
	addrs, err := inward.OwnAll()
	if err != nil {
		return err
	}
	var now []string
	for _, a := range addrs {
		now = append(now, a.String())
	}
	slices.Sort(now)
	if !slices.Equal(now, *last) {
		if err := n.defineCommon(conn); err != nil {
			return err
		}
		*last = now
	}
	run, err := n.plugs(conn)
	if err != nil {
		return err
	}
	return filtered(len(run))
}

// note keeps what is wrong for status, and logs it once.
func (n *Net) note(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if r, is := errors.AsType[*core.Rejection](err); is && r.Hint != "" {
		text += ": " + r.Hint
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case text == n.trouble:
		return
	case text == "":
		n.Log.Info().Msg("the network of machines is well again")
	default:
		n.Log.Error().Err(err).Msg("the network of machines")
	}
	n.trouble = text
}

// Trouble says what is wrong with the network. An empty text says that nothing is.
func (n *Net) Trouble() string {
	if n == nil {
		return ""
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.trouble
}

package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/nodeos-dev/gitd/internal/inward"
)

// errBlocked begins every refusal that is a decision, and no failure.
var errBlocked = errors.New("builds may not reach")

// checkPublic refuses every address that is not out on the Internet: those of
// this machine, whatever their range, and those of the networks around it.
func checkPublic(ip netip.Addr) error {
	place, is := inward.Find(ip)
	if !is {
		var err error
		if place, is, err = inward.Own(ip); err != nil {
			return err
		}
	}
	if is {
		return fmt.Errorf("%w %s: it is %s", errBlocked, ip, place.What)
	}
	return nil
}

// checkDialled is a net.Dialer's Control: it sees the address that is really
// dialled, so a name that resolves to something else the second time changes
// nothing.
func checkDialled(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w %q", errBlocked, address)
	}
	return checkPublic(ap.Addr())
}

package core

import (
	"errors"
	"net/netip"
	"time"
)

// Link lets the machines of one app reach another one, at Host.
type Link struct {
	ID      int64 // never given twice
	App     string
	Target  string // the app that is reached
	Name    string // of the target when the link was made: it goes on to lead there when the target is renamed
	Var     string // the config variable that the link has set; empty: none
	By      string
	Created time.Time
}

// LinkDomain is what the names of linked apps end in. It is the one that ICANN keeps for private use.
const LinkDomain = "internal"

// LinkHost is the name of an app for those that are linked to it.
func LinkHost(app string) string { return app + "." + LinkDomain }

// LinkEnd is a link as a machine's network knows it: at which address the machine finds it, and under which names.
type LinkEnd struct {
	ID    int64    `json:"id"`
	Names []string `json:"names"` // of apps, without LinkDomain
}

// linkRange is where linked apps are, for a machine. The range is kept for measurements (RFC 2544), so that nothing out
// in the world has an address of it, and machines reach nothing there otherwise.
var linkRange = netip.MustParsePrefix("198.18.0.0/15")

// Addr is the address of the link in the machines that have it. An address that a machine remembers is not another
// app's later, because links do not get the number of one that was removed.
func (l LinkEnd) Addr() netip.Addr {
	const places = 1<<17 - 2
	n := uint32(l.ID%places) + 1
	base := linkRange.Addr().As4()
	return netip.AddrFrom4([4]byte{base[0], base[1] + byte(n>>16), byte(n >> 8), byte(n)})
}

// LinkEnds are the links of one app as its machines see them. A name that a target had before it was renamed counts as
// long as no other link of the app has it.
func LinkEnds(links []Link) []LinkEnd {
	taken := map[string]bool{}
	for _, l := range links {
		taken[l.Target] = true
	}
	var all []LinkEnd
	for _, l := range links {
		end := LinkEnd{ID: l.ID, Names: []string{l.Target}}
		if !taken[l.Name] {
			end.Names = append(end.Names, l.Name)
			taken[l.Name] = true
		}
		all = append(all, end)
	}
	return all
}

// LinkReason is why a connection to a linked app did not come about, as the app that asked may read it.
func LinkReason(err error) string {
	if r, is := errors.AsType[*Rejection](err); is {
		return r.Reason
	}
	return "cannot be reached now"
}

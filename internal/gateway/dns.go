package gateway

import (
	"errors"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	resolvConf = "/etc/resolv.conf"
	dnsPort    = 53
)

// maxResolvers is as many as the C library asks.
const maxResolvers = 3

// resolvers are the host's DNS servers, to which the guest's questions go. They may be anywhere, also on the loopback:
// the host has chosen them. The answers are not judged, because what is dialled is.
type resolvers struct {
	path string
	port uint16

	mu      sync.Mutex
	read    time.Time // what the file's time was
	servers []netip.AddrPort
	turn    int
}

func newResolvers(path string, port uint16) *resolvers { return &resolvers{path: path, port: port} }

var errNoResolver = errors.New("this host has no DNS server")

// pick returns the server to ask.
func (r *resolvers) pick() (netip.AddrPort, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i, err := os.Stat(r.path); err == nil && !i.ModTime().Equal(r.read) {
		if servers, err := readResolvers(r.path, r.port); err == nil {
			r.servers, r.read, r.turn = servers, i.ModTime(), 0
		}
	}
	if len(r.servers) == 0 {
		return netip.AddrPort{}, errNoResolver
	}
	return r.servers[r.turn%len(r.servers)], nil
}

// failed makes the next server the one to ask, if the failed one still is.
func (r *resolvers) failed(server netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.servers) > 0 && r.servers[r.turn%len(r.servers)] == server {
		r.turn++
	}
}

func readResolvers(path string, port uint16) ([]netip.AddrPort, error) {
	conf, err := dns.ClientConfigFromFile(path)
	if err != nil {
		return nil, err
	}
	var list []netip.AddrPort
	for _, server := range conf.Servers {
		if a, err := netip.ParseAddr(server); err == nil && len(list) < maxResolvers {
			list = append(list, netip.AddrPortFrom(a, port))
		}
	}
	return list, nil
}

package remote

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Target is where a libvirt URI of another host leads, as OpenSSH's client is told.
type Target struct {
	Host    string
	URI     string   // for libvirt, which asks nobody for a password either
	program string   // ssh, or what the URI says in its place
	login   []string // the arguments of ssh that say how to log in
}

// Parse reads a libvirt URI. t is nil if its libvirt is on this host. What has no way to the machines' apps is refused.
func Parse(uri string) (t *Target, err error) {
	u, err := url.Parse(uri)
	if err != nil {
		return nil, core.Reject(fmt.Sprintf("the libvirt URI %q cannot be read: %v", uri, err), "for another host: --libvirt qemu+ssh://root@HOST/system")
	}
	if u.Host == "" {
		return nil, nil
	}
	_, transport, _ := strings.Cut(u.Scheme, "+")
	if transport == "ssh" {
		return bySSH(u)
	}
	if transport != "unix" && thisHost(u.Hostname()) {
		return nil, nil
	}
	return nil, core.Reject(refusals(transport, u), "type --libvirt "+instead(u)+", or leave out --libvirt to run machines on this host")
}

// refusals says why a way to another host is none for machines.
func refusals(transport string, u *url.URL) string {
	at := fmt.Sprintf("machines cannot run at %s: ", u.Redacted())
	switch transport {
	case "", "tls":
		return at + "TLS leads to libvirt alone, and gitd must reach the machines' files and apps on that host too"
	case "tcp":
		return at + "TCP is neither encrypted nor leads to the machines' files and apps on that host"
	case "unix":
		return at + "a unix socket leads to a libvirt of this host, and the URI names another one"
	case "libssh", "libssh2":
		return at + "gitd logs in with OpenSSH's client, with its configuration and known hosts, and " + transport + " has others"
	}
	return at + fmt.Sprintf("gitd does not know the transport %q", transport)
}

// instead is the URI with which the same host can be used.
func instead(u *url.URL) string {
	host := u.Hostname()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return "qemu+ssh://root@" + host + "/system"
}

// thisHost reports whether name is the host of this process: a libvirt there sees its files.
func thisHost(name string) bool {
	own, err := os.Hostname()
	return name == "localhost" || name == "127.0.0.1" || name == "::1" || err == nil && name == own
}

// bySSH reads what libvirt reads of such a URI too, so that both log in by the same words.
func bySSH(u *url.URL) (*Target, error) {
	q := u.Query()
	if q.Get("no_verify") != "" && q.Get("no_verify") != "0" {
		return nil, core.Reject("no_verify would take any host for "+u.Hostname()+", and give it the apps",
			"leave it out; `ssh-keyscan` and the host's own console show its key, and `ssh "+u.Hostname()+"` as gitd's user notes it")
	}
	if u.Path != "/system" {
		return nil, core.Reject(fmt.Sprintf("the libvirt %q of %s is not the system's, which has the right to run machines", u.Path, u.Hostname()),
			"type --libvirt "+instead(u))
	}
	if strings.HasPrefix(u.Hostname(), "-") || strings.HasPrefix(u.User.Username(), "-") {
		return nil, core.Reject("a host or a user that begins with - would be an option of ssh", "type --libvirt qemu+ssh://root@HOST/system")
	}
	t := &Target{Host: u.Hostname(), program: "ssh"}
	if p := q.Get("command"); p != "" {
		t.program = p
	}
	if k := q.Get("keyfile"); k != "" {
		if !filepath.IsAbs(k) {
			return nil, core.Reject(fmt.Sprintf("the keyfile %q is not a whole path", k), "begin it with /")
		}
		t.login = append(t.login, "-i", k)
	}
	if p := u.Port(); p != "" {
		if _, err := strconv.ParseUint(p, 10, 16); err != nil {
			return nil, core.Reject(fmt.Sprintf("the port %q is none", p), "type a number, or leave it out")
		}
		t.login = append(t.login, "-p", p)
	}
	if name := u.User.Username(); name != "" {
		t.login = append(t.login, "-l", name)
	}
	q.Set("no_tty", "1")
	withoutQuestions := *u
	withoutQuestions.RawQuery = q.Encode()
	t.URI = withoutQuestions.String()
	return t, nil
}

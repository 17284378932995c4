package command

import (
	"cmp"
	"net"
	"strings"
)

// sshPort is the one that ssh takes when none is named.
const sshPort = "22"

// Door is how people reach the SSH door, for the lines that they are to type.
// Where that is not known, "HOST" and "PORT" stand for it.
type Door struct{ Host, Port string }

// SSH is the beginning of a command line. flags are ssh's own.
func (d Door) SSH(user string, flags ...string) string {
	words := append([]string{"ssh"}, flags...)
	if d.port() != sshPort {
		words = append(words, "-p", d.port())
	}
	return strings.Join(append(words, user+"@"+d.host()), " ")
}

// Remote is the URL that an app is pushed to.
func (d Door) Remote(app string) string {
	return "ssh://nodeos@" + strings.TrimSuffix(net.JoinHostPort(d.host(), d.port()), ":"+sshPort) + "/" + app
}

// Known is the name of the door in known_hosts.
func (d Door) Known() string {
	if d.port() == sshPort {
		return d.host()
	}
	return "[" + d.host() + "]:" + d.port()
}

func (d Door) host() string { return cmp.Or(d.Host, "HOST") }
func (d Door) port() string { return cmp.Or(d.Port, "PORT") }

package cli

import (
	"net"
	"strings"
)

// sshPort is the one that ssh takes when none is named.
const sshPort = "22"

// Door is how people reach the SSH door, for the lines that they are to type.
type Door struct{ Host, Port string }

// SSH is the beginning of a command line.
func (d Door) SSH(user string) string {
	if d.Port == sshPort {
		return "ssh " + user + "@" + d.Host
	}
	return "ssh -p " + d.Port + " " + user + "@" + d.Host
}

// Remote is the URL that an app is pushed to.
func (d Door) Remote(app string) string {
	return "ssh://nodeos@" + strings.TrimSuffix(net.JoinHostPort(d.Host, d.Port), ":"+sshPort) + "/" + app
}

package libvirt

import (
	"fmt"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/libvirt/remote"
)

const (
	// QEMUUser is the user that QEMU runs as when this process is root. scripts/setup adds it, under the name that
	// Debian's libvirt uses.
	QEMUUser  = "libvirt-qemu"
	qemuGroup = "kvm"

	// The path of a unix socket has at most 107 bytes. The longest is that of a machine's monitor:
	// ROOT/lib/qemu/domain-NNNNN-NAME/monitor.sock, where NAME has at most 20 bytes.
	socketPath  = 107
	longestSock = len("/lib/qemu/domain-12345-12345678901234567890/monitor.sock")
)

// account is the user that QEMU runs as. An empty Name means the user of this process.
type account struct {
	Name   string
	UID    int
	GID    int
	Groups []int
}

// name is the account's, for which libvirt changes the user; empty: it does not.
func (a *account) name() string {
	if a == nil {
		return ""
	}
	return a.Name
}

func embedURI(state core.StateDir) string {
	return (&url.URL{Scheme: "qemu", Path: "/embed", RawQuery: "root=" + url.QueryEscape(state.Libvirt())}).String()
}

// CheckState says why no driver can run with this URI and this state folder, before anything is made there; or nil.
func CheckState(uri string, state core.StateDir) error {
	if uri != "" {
		_, err := remote.Parse(uri)
		return err
	}
	_, err := embedRoot(embedURI(state))
	return err
}

// embedRoot returns the folder of an embedded driver's files.
func embedRoot(uri string) (string, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return "", fmt.Errorf("libvirt URI %q: %w", uri, err)
	}
	root := u.Query().Get("root")
	if !filepath.IsAbs(root) {
		return "", fmt.Errorf("libvirt URI %q: root must be an absolute path", uri)
	}
	if len(root)+longestSock > socketPath {
		return "", fmt.Errorf("the path %s has %d bytes, and %d are the most that leave room for QEMU's sockets: choose a shorter --state",
			root, len(root), socketPath-longestSock)
	}
	return root, nil
}

// prepareEmbedded writes the configuration of the embedded driver, and returns the user that QEMU will run as.
func prepareEmbedded(uri string) (*account, error) {
	root, err := embedRoot(uri)
	if err != nil {
		return nil, err
	}
	who := &account{UID: os.Getuid(), GID: os.Getgid()}
	if who.UID == 0 {
		if who, err = lookupAccount(QEMUUser, qemuGroup); err != nil {
			return nil, fmt.Errorf("the user that QEMU runs as: %w; run scripts/setup, which adds it", err)
		}
	}
	for _, dir := range []string{filepath.Join(root, "etc"), channelDir(root)} {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(filepath.Join(root, "etc/qemu.conf"), []byte(qemuConf(who)), 0o600); err != nil {
		return nil, err
	}
	return who, nil
}

// channelDir returns the folder of the control channels' sockets. The paths that libvirt would choose are longer than a
// socket's may be.
func channelDir(root string) string { return filepath.Join(root, "c") }

// qemuConf returns the text of libvirt's qemu.conf. Machines share images, so images keep their owner; QEMU's user can
// read them anyway.
func qemuConf(who *account) string {
	var b strings.Builder
	b.WriteString("# Written by gitd at each start.\n")
	if who.Name != "" {
		fmt.Fprintf(&b, "user = %q\ngroup = %q\ndynamic_ownership = 0\nremember_owner = 0\n", who.Name, qemuGroup)
		// gitd-machine makes the namespaces and takes all rights away. libvirt would take those of newuidmap.
		b.WriteString("namespaces = []\nclear_emulator_capabilities = 0\n")
	}
	// The walls have groups for machines where there can be any. In a container, libvirt fails to make its own.
	b.WriteString("cgroup_controllers = []\n")
	// The embedded driver has no virtlogd.
	b.WriteString("stdio_handler = \"file\"\n")
	return b.String()
}

func lookupAccount(name, group string) (*account, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return nil, err
	}
	a := &account{Name: name}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	for _, id := range append(ids, g.Gid) {
		n, err := strconv.Atoi(id)
		if err != nil {
			return nil, err
		}
		a.Groups = append(a.Groups, n)
	}
	a.UID, err = strconv.Atoi(u.Uid)
	a.GID = a.Groups[len(a.Groups)-1]
	return a, err
}

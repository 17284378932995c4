package lockfile

import (
	"bytes"
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/progress"
)

// Locked is what a lockfile says, as far as gitd decides by it.
type Locked struct {
	Hosts   []Host
	Local   string // a package that is a folder of the repository; "": none
	Scripts string // a package whose install script would run here; "": none that is known
	Silent  bool   // the lockfile does not say which packages have install scripts
	Fits    string // versions of the tool that read this lockfile as it is; "": any
}

// Host is a host that a lockfile wants a package from.
type Host struct {
	URL     string // scheme and host, e.g. "https://npm.example.org"
	Package string // one of the packages
}

// publicRegistry are the names of npm's own registry. The server's registry stands for all of them: a firewall may let
// nothing else through, and the packages are the same, which the lockfile's hashes prove.
var publicRegistry = []string{"registry.npmjs.org", "registry.yarnpkg.com"}

// addHost notes where a package comes from. What is no URL comes from the registry.
func (l *Locked) addHost(name, from string) {
	u, err := url.Parse(strings.TrimPrefix(from, "git+"))
	if err != nil || u.Hostname() == "" || slices.Contains(publicRegistry, u.Hostname()) {
		return
	}
	at := "https://" + u.Host
	switch u.Scheme {
	case "http":
		at = "http://" + u.Host
	case "ssh", "git":
		at = "https://" + u.Hostname() // the sandbox leads to web servers only, and the known git hosts are that too
	}
	known := slices.ContainsFunc(l.Hosts, func(h Host) bool { return h.URL == at })
	if !known && len(l.Hosts) < MaxHosts {
		l.Hosts = append(l.Hosts, Host{at, progress.Shorten(name)})
	}
}

// MaxHosts bounds how many hosts of a hostile lockfile are asked for.
const MaxHosts = 8

// rcRegistry is a line of .npmrc that names a registry, for all packages or for a scope.
var rcRegistry = regexp.MustCompile(`(?m)^\s*(@[^:\s=]+:)?registry\s*=\s*["']?([^\s"'#;]+)`)

// AddRegistries notes the registries of the repository's own npm settings: a lockfile may leave them out. One of a
// scope counts if the lockfile names a package of that scope.
func (l *Locked) AddRegistries(npmrc, lock []byte) {
	for _, m := range rcRegistry.FindAllStringSubmatch(string(npmrc), -1) {
		if scope := strings.TrimSuffix(m[1], ":"); scope != "" && !bytes.Contains(lock, []byte(scope+"/")) {
			continue
		}
		l.addHost(cmp.Or(strings.TrimSuffix(m[1], ":"), "registry in .npmrc"), m[2])
	}
}

const (
	nodeModules   = "node_modules"
	byteOrderMark = "\xef\xbb\xbf" // may be at the beginning of a JSON file
)

// Package registry reads an npm registry: which versions of a package there
// are, and a version's files, verified and unpacked.
//
// It owns the cache of both. It does not own the choice of a version, and it
// runs nothing.
package registry

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Default is npm's own default registry.
const Default = "https://registry.npmjs.org/"

const (
	fresh         = time.Hour        // metadata is not asked for again
	metadataLimit = 64 << 20         // bytes
	metadataTime  = 30 * time.Second // for one request
	tarballTime   = 10 * time.Minute
)

// Client reads one registry. It is safe for concurrent use, also by several
// processes on the same folders.
type Client struct {
	Keys  Keys          // of those who sign what it has
	Young time.Duration // for so long it matters when a version was published; 0: never

	base    *url.URL
	dir     string
	scratch string
	http    *http.Client
}

// New makes a client of the registry at rawURL that keeps what it reads below
// dir. Unfinished downloads are in scratch, on the same file system.
func New(rawURL, dir, scratch string) (*Client, error) {
	base, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("the npm registry's URL %q: %w", rawURL, err)
	}
	if (base.Scheme != "https" && base.Scheme != "http") || base.Host == "" {
		return nil, fmt.Errorf("the npm registry's URL %q: want https://host/", rawURL)
	}
	if !strings.HasSuffix(base.Path, "/") {
		base.Path += "/"
	}
	return &Client{base: base, dir: dir, scratch: scratch, http: &http.Client{}}, nil
}

// URL is the registry's address; it ends with a slash.
func (c *Client) URL() *url.URL {
	u := *c.base
	return &u
}

var packageName = regexp.MustCompile(`^(@[a-z0-9][a-z0-9._-]{0,100}/)?[a-z0-9][a-z0-9._-]{0,100}$`)

// path is a place in the cache of a package.
func (c *Client) path(name string, parts ...string) (string, error) {
	if !packageName.MatchString(name) {
		return "", fmt.Errorf("%q is no package that gitd fetches", name)
	}
	flat := strings.ReplaceAll(name, "/", "+") // a scope is no folder of its own: each package is one below dir
	return filepath.Join(append([]string{c.dir, flat}, parts...)...), nil
}

// tarball is where to get v from. A registry that mirrors another one may
// still name the other one's host; npm asks the mirror then, and so do we.
func (c *Client) tarball(v Version) (string, error) {
	u, err := url.Parse(v.Tarball)
	if err != nil {
		return "", fmt.Errorf("%s@%s: the tarball's URL: %w", v.Name, v.Number, err)
	}
	if u.Host == c.base.Host && u.Scheme == c.base.Scheme {
		return u.String(), nil
	}
	path := strings.TrimPrefix(u.Path, c.base.Path)
	return c.base.JoinPath(path).String(), nil
}

// Plain reports whether what comes from u can be changed on its way here.
func Plain(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())
}

// Choose is the registry to use: the one that was asked for, else what npm's own variable says, else npm's default.
func Choose(asked string) string {
	return cmp.Or(asked, os.Getenv("npm_config_registry"), os.Getenv("NPM_CONFIG_REGISTRY"), Default)
}

package registry

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/google/renameio/v2"
)

// Version is one published version of a package.
type Version struct {
	Name      string          `json:"name"`
	Number    *semver.Version `json:"version"`
	Node      string          `json:"node,omitempty"` // engines.node
	Tarball   string          `json:"tarball"`
	Integrity string          `json:"integrity"` // SRI, as npm writes it

	Published  time.Time   `json:"published,omitzero"` // zero: the registry does not say
	Modified   time.Time   `json:"modified,omitzero"`  // when the package was changed; zero: the registry does not say
	Signatures []Signature `json:"signatures,omitempty"`
}

// Digest is the SHA-512 of v's tarball, as npm writes it.
func (v Version) Digest() (string, error) {
	sum, err := sha512Of(v.Integrity)
	if err != nil {
		return "", fmt.Errorf("%s@%s: %w", v.Name, v.Number, err)
	}
	return "sha512-" + base64.StdEncoding.EncodeToString(sum), nil
}

// Package is what the registry knows of a package. Pre-releases are left out.
type Package struct {
	Versions []Version `json:"versions"`
	Registry string    `json:"registry"`
	Read     time.Time `json:"read"`
	Format   int       `json:"format"` // of this record
	Stale    error     `json:"-"`      // why this is from the cache although it is old; nil: it is fresh
}

// format is that of the records which this gitd writes. 1 has times and signatures.
const format = 1

// Versions returns the published versions of a package, from the cache when
// that is fresh, or when the registry does not answer.
func (c *Client) Versions(ctx context.Context, name string) (Package, error) {
	file, err := c.path(name)
	file += ".json"
	if err != nil {
		return Package{}, err
	}
	old, cacheErr := c.cached(file)
	if age := time.Since(old.Read); cacheErr == nil && age >= 0 && age < fresh {
		return old, nil
	}
	p, err := c.ask(ctx, name)
	if err != nil && cacheErr == nil && ctx.Err() == nil {
		old.Stale = err
		return old, nil
	}
	if err != nil {
		return Package{}, err
	}
	return p, c.remember(file, p)
}

func (c *Client) cached(file string) (p Package, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return Package{}, err
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return Package{}, err
	}
	if p.Registry != c.base.String() || p.Format != format {
		return Package{}, errors.New("of another registry, or written by another gitd")
	}
	return p, nil
}

func (c *Client) remember(file string, p Package) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(file, b, 0o644)
}

// packument is the part of npm's metadata that is of use here.
type packument struct {
	Modified time.Time                  `json:"modified"` // only abbreviated ones have it
	Time     map[string]json.RawMessage `json:"time"`     // npm's abbreviated ones do not have it
	Versions map[string]struct {
		// npm's oldest packages have a list here.
		Engines json.RawMessage `json:"engines"`
		Dist    struct {
			Tarball   string `json:"tarball"`
			Integrity string `json:"integrity"`

			Signatures []Signature `json:"signatures"`
		} `json:"dist"`
	} `json:"versions"`
}

// What is asked for: npm leaves out of the short form all that an installation does not need, and of that only the
// times are needed here. The long form of a package like npm has 15 MB.
const (
	shortForm = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8"
	longForm  = "application/json"
)

func (c *Client) ask(ctx context.Context, name string) (Package, error) {
	ctx, cancel := context.WithTimeout(ctx, metadataTime)
	defer cancel()
	doc, err := c.document(ctx, name, shortForm)
	if err != nil {
		return Package{}, err
	}
	if doc.Time == nil && c.wantsTimes(doc) {
		if long, err := c.document(ctx, name, longForm); err == nil { // a registry need not have times
			doc.Time = long.Time
		}
	}
	return Package{Versions: doc.versions(name), Registry: c.base.String(), Read: time.Now(), Format: format}, nil
}

// wantsTimes reports whether it matters when a version was published: some may be young, or older than a key.
func (c *Client) wantsTimes(doc packument) bool {
	if c.Young > 0 && (doc.Modified.IsZero() || time.Since(doc.Modified) < c.Young) {
		return true
	}
	for _, v := range doc.Versions {
		if c.Keys.expires(v.Dist.Signatures) {
			return true
		}
	}
	return false
}

func (c *Client) document(ctx context.Context, name, form string) (doc packument, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.JoinPath(name).String(), nil)
	if err != nil {
		return packument{}, err
	}
	req.Header.Set("Accept", form)
	body, err := c.get(req)
	if err != nil {
		return packument{}, fmt.Errorf("ask the npm registry for %s: %w", name, err)
	}
	defer body.Close()
	if err := json.NewDecoder(io.LimitReader(body, metadataLimit)).Decode(&doc); err != nil {
		return packument{}, fmt.Errorf("read the npm registry's answer for %s: %w", name, err)
	}
	return doc, nil
}

func (d packument) versions(name string) []Version {
	var all []Version
	for number, v := range d.Versions {
		n, err := semver.StrictNewVersion(number)
		if err != nil || n.Prerelease() != "" {
			continue
		}
		var engines struct {
			Node string `json:"node"`
		}
		json.Unmarshal(v.Engines, &engines) //nolint:errcheck // an old form says nothing of Node
		all = append(all, Version{
			Name: name, Number: n, Node: engines.Node,
			Tarball: v.Dist.Tarball, Integrity: v.Dist.Integrity,
			Published: d.published(number), Modified: d.Modified, Signatures: v.Dist.Signatures,
		})
	}
	return all
}

// published is when a version was published; zero: the registry does not say.
func (d packument) published(number string) (at time.Time) {
	if json.Unmarshal(d.Time[number], &at) != nil {
		return time.Time{}
	}
	return at
}

// Latest is when v was published at the latest; zero: the registry does not say.
func (v Version) Latest() time.Time {
	if v.Published.IsZero() {
		return v.Modified
	}
	return v.Published
}

// get returns the body of a successful answer.
func (c *Client) get(req *http.Request) (io.ReadCloser, error) {
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		return nil, fmt.Errorf("%s answered %s", req.URL.Redacted(), res.Status)
	}
	return res.Body, nil
}

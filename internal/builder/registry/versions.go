package registry

import (
	"context"
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
}

// Package is what the registry knows of a package. Pre-releases are left out.
type Package struct {
	Versions []Version `json:"versions"`
	Registry string    `json:"registry"`
	Read     time.Time `json:"read"`
	Stale    error     `json:"-"` // why this is from the cache although it is old; nil: it is fresh
}

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
	if p.Registry != c.base.String() {
		return Package{}, errors.New("of another registry")
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

// packument is the part of npm's abbreviated metadata that is of use here.
type packument struct {
	Versions map[string]struct {
		// npm's oldest packages have a list here.
		Engines json.RawMessage `json:"engines"`
		Dist    struct {
			Tarball   string `json:"tarball"`
			Integrity string `json:"integrity"`
		} `json:"dist"`
	} `json:"versions"`
}

func (c *Client) ask(ctx context.Context, name string) (Package, error) {
	ctx, cancel := context.WithTimeout(ctx, metadataTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.JoinPath(name).String(), nil)
	if err != nil {
		return Package{}, err
	}
	req.Header.Set("Accept", "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8")
	body, err := c.get(req)
	if err != nil {
		return Package{}, fmt.Errorf("ask the npm registry for %s: %w", name, err)
	}
	defer body.Close()
	var doc packument
	if err := json.NewDecoder(io.LimitReader(body, metadataLimit)).Decode(&doc); err != nil {
		return Package{}, fmt.Errorf("read the npm registry's answer for %s: %w", name, err)
	}
	return Package{Versions: doc.versions(name), Registry: c.base.String(), Read: time.Now()}, nil
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
		})
	}
	return all
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

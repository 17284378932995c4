// Package nodedist compares a Node with the one that the Node.js project publishes itself, on nodejs.org: npm's
// packages of Node are made from that by somebody else, whose word would be all there is.
//
// It owns the comparison. It keeps nothing, and what it downloads is not run.
package nodedist

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

const (
	sumsLimit    = 1 << 20 // bytes
	tarballLimit = 256 << 20
	programLimit = 512 << 20
	mostTime     = 10 * time.Minute
)

// Source is a folder like https://nodejs.org/dist/: v22.23.3/SHASUMS256.txt, v22.23.3/node-v22.23.3-linux-x64.tar.gz.
type Source struct{ base *url.URL }

// New is the source at an URL.
func New(base *url.URL) *Source { return &Source{base} }

func (s *Source) String() string { return s.base.Redacted() }

// Compare refuses the Node in dir (dir/bin/node) if it is not byte for byte the one of this version.
func (s *Source) Compare(ctx context.Context, version, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, mostTime)
	defer cancel()
	theirs, err := s.program(ctx, version)
	if err != nil {
		return &core.Rejection{Reason: fmt.Sprintf("Node %s cannot be compared with that of %s: %s", version, s, err),
			Hint: "push again when it answers, or start gitd without --node-dist", Err: err}
	}
	f, err := os.Open(filepath.Join(dir, "bin", "node"))
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if ours := h.Sum(nil); !bytes.Equal(ours, theirs) {
		return core.Reject(fmt.Sprintf("the program of Node %s has the SHA-256 %x, and that of %s has %x", version, ours, s, theirs),
			"one of the two was changed by somebody; compare with a third source before you start gitd without --node-dist")
	}
	return nil
}

// program is the SHA-256 of bin/node in the tarball of a version, whose own SHA-256 is in the list of the version.
func (s *Source) program(ctx context.Context, version string) ([]byte, error) {
	arch := runtime.GOARCH
	if arch == "amd64" {
		arch = "x64"
	}
	name := "node-v" + version + "-linux-" + arch
	list, err := s.get(ctx, "v"+version, "SHASUMS256.txt")
	if err != nil {
		return nil, err
	}
	defer list.Close()
	want, err := sumOf(io.LimitReader(list, sumsLimit), name+".tar.gz")
	if err != nil {
		return nil, err
	}
	body, err := s.get(ctx, "v"+version, name+".tar.gz")
	if err != nil {
		return nil, err
	}
	defer body.Close()
	h := sha256.New()
	tarball := io.TeeReader(io.LimitReader(body, tarballLimit), h)
	program, programErr := sumInside(tarball, name+"/bin/node")
	if _, err := io.Copy(io.Discard, tarball); err != nil {
		return nil, err
	}
	if got := h.Sum(nil); !bytes.Equal(got, want) { // before all else: nothing in it counts
		return nil, fmt.Errorf("%s.tar.gz has the SHA-256 %x, and its list says %x", name, got, want)
	}
	return program, programErr
}

func (s *Source) get(ctx context.Context, path ...string) (io.ReadCloser, error) {
	from := s.base.JoinPath(path...)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from.String(), nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		return nil, fmt.Errorf("%s answered %s", from.Redacted(), res.Status)
	}
	return res.Body, nil
}

// sumOf finds the SHA-256 of a file in a list as sha256sum writes it.
func sumOf(list io.Reader, file string) ([]byte, error) {
	lines := bufio.NewScanner(list)
	for lines.Scan() {
		sum, name, _ := strings.Cut(lines.Text(), "  ")
		if name != file {
			continue
		}
		b, err := hex.DecodeString(sum)
		if err != nil || len(b) != sha256.Size {
			return nil, fmt.Errorf("its list has no SHA-256 for %s, but %q", file, sum)
		}
		return b, nil
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("its list does not name %s", file)
}

// sumInside is the SHA-256 of a file in a tarball.
func sumInside(tarball io.Reader, file string) ([]byte, error) {
	z, err := gzip.NewReader(tarball)
	if err != nil {
		return nil, err
	}
	for t := tar.NewReader(io.LimitReader(z, 2*programLimit)); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s is not in it", file)
		}
		if err != nil {
			return nil, err
		}
		if h.Name != file || h.Typeflag != tar.TypeReg {
			continue
		}
		sum := sha256.New()
		if _, err := io.Copy(sum, io.LimitReader(t, programLimit)); err != nil {
			return nil, err
		}
		return sum.Sum(nil), nil
	}
}

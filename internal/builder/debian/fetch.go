package debian

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/units"
)

// MaxFetch bounds what the packages of one app are together, as they are fetched, in bytes. Chromium with all that it
// needs has 190 MB.
const MaxFetch = 1 << 30

// Fetch downloads debs, which Resolve has found, into the folder dir, and checks each of them against its SHA-256.
func (a Archive) Fetch(ctx context.Context, debs []Deb, dir string, r *progress.Report) error {
	sum := int64(0)
	for _, d := range debs {
		sum += d.Size
	}
	if sum > MaxFetch {
		return core.Reject(fmt.Sprintf("the Debian packages are %s in all, and %s is the most", units.Bytes(sum), units.Bytes(MaxFetch)),
			"name fewer under nodeos.packages in package.json")
	}
	done, err := a.open(ctx, r)
	if err != nil {
		return err
	}
	defer done()
	r.Detail("fetching %d packages of Debian, %s", len(debs), units.Bytes(sum))
	args := []string{"install", "--download-only", "-qq", "--"}
	for _, d := range debs {
		args = append(args, d.Name+"="+d.Version)
	}
	if _, err := a.apt(ctx, "apt-get", args...); err != nil {
		return errors.Join(&core.Rejection{
			Reason: "Debian's packages cannot be fetched: " + err.Error(), Hint: "push again; the archive may have changed meanwhile", Err: err,
		}, drop(a.path("updated")))
	}
	for _, d := range debs {
		from := filepath.Join(a.path("archives"), d.File)
		if err := d.check(from); err != nil {
			return errors.Join(err, os.Remove(from))
		}
		if err := os.Rename(from, filepath.Join(dir, d.File)); err != nil {
			return err
		}
	}
	return nil
}

// check compares the file of d with its hash. apt has done so; a build must not depend on how apt is set up.
func (d Deb) check(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); !strings.EqualFold(got, d.SHA256) {
		return fmt.Errorf("%s has the SHA-256 %s instead of %s", d.File, got, d.SHA256)
	}
	return nil
}

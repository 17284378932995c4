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

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/units"
)

// maxFetch bounds what the packages of one app are together, as they are fetched, in bytes. Chromium with all that it
// needs has 145 MB.
const maxFetch = 1 << 30

// unpackedRatio is what packages take while their layer is made, against what they are as they are fetched: themselves,
// their files, and the layer. Chromium takes 5.4 times as much.
const unpackedRatio = 6

// helper is apt's program that fetches files, by apt's own ways, and compares them with their hashes. It needs no
// indexes, so several builds fetch at once, also what the archive does not list any more.
const helper = "/usr/lib/apt/apt-helper"

// Fetch downloads debs, which Resolve has found, into the folder dir, and checks each of them against its SHA-256.
func (a Archive) Fetch(ctx context.Context, debs []Deb, dir string, r *progress.Report) error {
	sum := int64(0)
	for _, d := range debs {
		sum += d.Size
	}
	if err := checkRoom(dir, sum); err != nil {
		return err
	}
	r.Detail("fetching %d packages of Debian, %s", len(debs), units.Bytes(sum))
	args := []string{"-qq", "download-file"}
	for _, d := range debs {
		args = append(args, d.URI, filepath.Join(dir, d.File), "SHA256:"+d.SHA256)
	}
	if _, err := a.apt(ctx, helper, args...); err != nil {
		return &core.Rejection{
			Reason: "Debian's packages cannot be fetched: " + err.Error(), Hint: "push again; the archive may have changed meanwhile", Err: err,
		}
	}
	for _, d := range debs {
		if err := d.check(filepath.Join(dir, d.File)); err != nil {
			return err
		}
	}
	return nil
}

// checkRoom refuses packages of sum bytes that are too many, or do not fit on the disk of dir.
func checkRoom(dir string, sum int64) error {
	if sum > maxFetch {
		return core.Reject(fmt.Sprintf("the Debian packages are %s in all, and %s is the most", units.Bytes(sum), units.Bytes(maxFetch)),
			"name fewer under nodeos.packages in package.json")
	}
	has, err := disk.SpaceOf(dir)
	if err != nil {
		return err
	}
	if need := unpackedRatio * sum; need > has.Free {
		return core.Reject(fmt.Sprintf("the server's disk is too full for these Debian packages: they need about %s, and %s of %s are free",
			units.Bytes(need), units.Bytes(has.Free), units.Bytes(has.Size)), disk.FreeRoom)
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
	if got := hex.EncodeToString(h.Sum(nil)); got != d.SHA256 {
		return errors.Join(fmt.Errorf("%s has the SHA-256 %s instead of %s", d.File, got, d.SHA256), os.Remove(name))
	}
	return nil
}

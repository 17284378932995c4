package debian

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// nameForm is Debian's own rule for the name of a package (policy 5.6.1).
var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]{1,99}$`)

// CheckName says why name cannot be a package of Debian, or nil. apt would take "name-" as a wish to remove, and
// "name=1" or "name/sid" for another version.
func CheckName(name string) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("%q is no name of a Debian package", progress.Shorten(name))
	}
	return nil
}

// native is the host's architecture, by Debian's name, which is Go's for all that gitd runs on.
func native() string { return runtime.GOARCH }

// Deb is one package in the archive.
type Deb struct {
	core.Package
	URI  string `json:"uri"`  // where it is in the archive
	File string `json:"file"` // the name of its file
	Size int64  `json:"size"` // bytes
}

// Resolve finds the packages of these names and all that they depend on, sorted by name, in the versions that the
// archive has now. What a machine has already is not among them. A wrong name is a *core.Rejection.
func (a Archive) Resolve(ctx context.Context, names []string, r *progress.Report) ([]Deb, error) {
	done, err := a.open(ctx, names, r)
	if err != nil {
		return nil, err
	}
	defer done()
	for _, name := range names {
		if slices.Contains(inBase(), name) {
			r.Warn("%s is in every machine: nodeos.packages need not name it", name)
		}
	}
	if err := a.checkNames(ctx, names); err != nil {
		return nil, err
	}
	return a.resolve(ctx, names)
}

func (a Archive) resolve(ctx context.Context, names []string) ([]Deb, error) {
	out, err := a.apt(ctx, "apt-get", append([]string{"install", "--print-uris", "-qq", "--"}, names...)...)
	if err != nil {
		return nil, &core.Rejection{
			Reason: fmt.Sprintf("the Debian packages %s cannot be had together: %v", strings.Join(names, ", "), err),
			Hint:   "on a Debian, `apt-get install --dry-run` with their names says more", Err: err,
		}
	}
	return parseURIs(out)
}

// Known are the names of all packages that the archive has.
func (a Archive) Known(ctx context.Context, r *progress.Report) (map[string]bool, error) {
	done, err := a.open(ctx, nil, r)
	if err != nil {
		return nil, err
	}
	defer done()
	return a.known(ctx)
}

func (a Archive) known(ctx context.Context) (map[string]bool, error) {
	out, err := a.apt(ctx, "apt-cache", "pkgnames")
	if err != nil {
		return nil, fmt.Errorf("list Debian's packages: %w", err)
	}
	known := map[string]bool{}
	for name := range strings.FieldsSeq(out) {
		known[name] = true
	}
	if len(known) <= len(inBase())+len(unused()) {
		// apt says of sources that do not answer, and of none at all, that it has updated its indexes.
		return nil, errors.Join(core.Reject("Debian's archive cannot be reached by this server",
			"its operator finds the reason with `apt-get update`; push again when it works"), os.Remove(a.path("updated")))
	}
	return known, nil
}

// checkNames refuses names that no package has. apt itself would look for patterns in them.
func (a Archive) checkNames(ctx context.Context, names []string) error {
	known, err := a.known(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if known[name] && CheckName(name) == nil {
			continue
		}
		hint := "https://packages.debian.org finds names, by words and by files"
		if like := near(name, known); len(like) > 0 {
			hint = "there is " + strings.Join(like, ", ")
		}
		return core.Reject(fmt.Sprintf("there is no Debian package %q", progress.Shorten(name)), hint)
	}
	return nil
}

// parseURIs reads what `apt-get --print-uris` prints: 'URI' FILE SIZE SHA256:HEX, one package a line.
func parseURIs(out string) ([]Deb, error) {
	var all []Deb
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		d, err := parseURI(fields)
		if err != nil {
			return nil, fmt.Errorf("apt says %q: %w", progress.Shorten(strings.TrimSpace(line)), err)
		}
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b Deb) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

var hexSHA256 = regexp.MustCompile(`^[0-9a-f]{64}$`)

func parseURI(fields []string) (Deb, error) {
	if len(fields) != 4 {
		return Deb{}, fmt.Errorf("it has %d words instead of 4", len(fields))
	}
	sum, ok := strings.CutPrefix(fields[3], "SHA256:")
	if !ok || !hexSHA256.MatchString(sum) {
		return Deb{}, fmt.Errorf("%.20q is no SHA-256", fields[3])
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil || size < 0 {
		return Deb{}, fmt.Errorf("%.20q is no size", fields[2])
	}
	// NAME_VERSION_ARCHITECTURE.deb, with the colon of a version written as %3a.
	file := fields[1]
	stem, ok := strings.CutSuffix(file, ".deb")
	parts := strings.Split(stem, "_")
	if !ok || len(parts) != 3 || strings.ContainsAny(file, "/\\") || CheckName(parts[0]) != nil {
		return Deb{}, fmt.Errorf("%.80q is no package's file", file)
	}
	version, err := url.PathUnescape(parts[1])
	if err != nil {
		return Deb{}, err
	}
	uri := strings.Trim(fields[0], "'")
	if !strings.Contains(uri, ":/") || strings.HasPrefix(uri, "-") {
		return Deb{}, fmt.Errorf("%.80q is no address", uri)
	}
	return Deb{Package: core.Package{Name: parts[0], Version: version, SHA256: sum}, URI: uri, File: file, Size: size}, nil
}

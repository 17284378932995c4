package rebase

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/nodeos-dev/gitd/internal/base"
	"github.com/nodeos-dev/gitd/internal/builder/debian"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// askLimit is how long the archive and the registry may take to say what they have.
const askLimit = time.Minute

// minimalSource is the package of which the minimal kernel is compiled.
const minimalSource = "linux-source-6.1"

// News is what bases could be made of now: what the host has, and what Debian's archive and the npm registry have.
func (b Rebaser) News(ctx context.Context) core.BaseNews {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	kernel, err := b.kernelPackage(ctx)
	n := core.BaseNews{Host: []core.BasePart{part("kernel", kernel.now, err)}, Node: b.nodes(ctx)}
	names := debian.BasePackages()
	for _, name := range names {
		v, err := debian.Installed(ctx, name)
		n.Host = append(n.Host, part(name, v, err))
	}
	archive := debian.Archive{Dir: filepath.Join(b.State.Cache(), "debian")}
	versions, err := archive.Candidates(ctx, append([]string{kernel.name}, names...), progress.NewReport(nil))
	for _, name := range append([]string{kernel.name}, names...) {
		p := part(name, versions[name], err)
		if err == nil && p.Version == "" {
			p.Unknown = "no source of the host's apt has it"
		}
		if name == kernel.name {
			p.Name = "kernel"
		}
		n.Archive = append(n.Archive, p)
	}
	return n
}

func part(name, version string, err error) core.BasePart {
	if err != nil {
		return core.BasePart{Name: name, Unknown: progress.OneLine(err.Error())}
	}
	return core.BasePart{Name: name, Version: version}
}

// kernelPackage is the package of Debian from which machines have their kernel, and the name of that of a new base.
type kernelPackage struct{ name, now string }

func (b Rebaser) kernelPackage(ctx context.Context) (kernelPackage, error) {
	name, _, err := b.Bases.NextKernel(ctx)
	if err == nil && !base.IsMinimal(name) {
		return kernelPackage{"linux-image-cloud-" + runtime.GOARCH, name}, nil
	}
	return kernelPackage{minimalSource, name}, err
}

// nodes are the newest version of each line, the newest line first.
func (b Rebaser) nodes(ctx context.Context) []core.BasePart {
	all, err := b.Builder.Tools().Nodes(ctx, progress.NewReport(nil))
	if err != nil {
		return []core.BasePart{part("node", "", err)}
	}
	best := map[uint64]core.BasePart{}
	for _, v := range all {
		if v.Number.Prerelease() != "" {
			continue
		}
		line := v.Number.Major()
		if old, ok := best[line]; !ok || newer(v.Number.String(), old.Version) {
			best[line] = core.BasePart{Name: fmt.Sprintf("node %d", line), Version: v.Number.String()}
		}
	}
	lines := slices.SortedFunc(maps.Keys(best), func(a, b uint64) int { return cmp.Compare(b, a) })
	parts := make([]core.BasePart, len(lines))
	for i, line := range lines {
		parts[i] = best[line]
	}
	return parts
}

func newer(a, b string) bool {
	va, errA := semver.StrictNewVersion(a)
	vb, errB := semver.StrictNewVersion(b)
	return errA == nil && errB == nil && va.GreaterThan(vb)
}

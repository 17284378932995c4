package base

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nodeos-dev/gitd/internal/base/kernel"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// minimalPrefix begins the name of a minimal kernel, as bases have it.
const minimalPrefix = "minimal kernel "

// NextKernel is the name of the kernel that a base gets which is made now; why says why it is not the minimal one,
// although that may have been meant.
func (s *Store) NextKernel(ctx context.Context) (name, why string, err error) {
	if s.cfg.Kernel == MinimalKernel { // choosing it would compile it
		k, err := s.cfg.MinimalSource.Find()
		return minimalKernel(k).name, "", err
	}
	k, err := s.chooseKernel(ctx, progress.NewReport(nil))
	return k.name, k.why, err
}

// IsMinimal reports whether a kernel is the minimal one, by the name that a base has for it.
func IsMinimal(name string) bool { return strings.HasPrefix(name, minimalPrefix) }

// CompileKernel compiles the minimal kernel from the source that is on this host, if that has not been done.
func (s *Store) CompileKernel(ctx context.Context, r *progress.Report) error {
	if s.cfg.Kernel == StockKernel {
		return errors.New("this gitd gives machines Debian's kernel (--kernel stock), which scripts/setup fetches")
	}
	_, err := s.cfg.MinimalSource.Find()
	if errors.Is(err, kernel.ErrNotCompiled) {
		_, err = s.compileKernel(ctx, r)
	}
	if err != nil {
		return fmt.Errorf("the minimal kernel: %w", err)
	}
	return nil
}

// Packages are the versions of Debian's packages of which c has files, by name.
func (c Contents) Packages() map[string]string {
	all := map[string]string{}
	for _, f := range c.Root {
		if f.Package != "" {
			all[f.Package] = f.Version
		}
	}
	return all
}

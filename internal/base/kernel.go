package base

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nodeos-dev/gitd/internal/base/kernel"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/units"
)

// KernelChoice says which kernel bases get.
type KernelChoice string

// The choices. Both kernels run the same init and the same apps.
const (
	// MinimalKernel is compiled from Debian's source; the first time takes
	// minutes.
	MinimalKernel KernelChoice = "minimal"
	// StockKernel is Debian's cloud kernel with an initramfs.
	StockKernel KernelChoice = "stock"
	// AutoKernel is the minimal one if it is compiled already.
	AutoKernel KernelChoice = "auto"
)

// ParseKernelChoice reads what a person typed.
func ParseKernelChoice(s string) (KernelChoice, error) {
	switch c := KernelChoice(s); c {
	case MinimalKernel, StockKernel, AutoKernel:
		return c, nil
	}
	return "", fmt.Errorf("kernel %q: use minimal, stock or auto", s)
}

// baseKernel is the kernel of a base, as data.
type baseKernel struct {
	name   string // for people, and part of the base's id
	image  string // file on the host
	packed bool   // the image is Debian's bzImage
	initrd tree   // empty: the kernel needs none
	why    string // why gitd chose it; empty: it was asked for
}

// chooseKernel finds the kernel that is asked for, and compiles it if that is
// the only way to have it.
func (s *Store) chooseKernel(ctx context.Context, r *progress.Report) (baseKernel, error) {
	switch s.cfg.Kernel {
	case StockKernel:
		return s.stockKernel()
	case MinimalKernel:
		k, err := s.cfg.MinimalSource.Find()
		if errors.Is(err, kernel.ErrNotCompiled) {
			k, err = s.compileKernel(ctx, r)
		}
		return minimalKernel(k), err
	}
	k, err := s.cfg.MinimalSource.Find()
	if err == nil {
		return minimalKernel(k), nil
	}
	// No error of the minimal kernel stops a push: the stock kernel works too.
	stock, stockErr := s.stockKernel()
	stock.why = fmt.Sprintf("not the minimal kernel: %v", err)
	if errors.Is(err, kernel.ErrNotCompiled) {
		stock.why = err.Error() + "; \"gitd base:build --kernel minimal\" does that, in about ten minutes"
	}
	return stock, stockErr
}

func minimalKernel(k kernel.Kernel) baseKernel {
	return baseKernel{name: fmt.Sprintf(minimalPrefix+"%s (%s)", k.Release, k.Digest), image: k.Image()}
}

func (s *Store) stockKernel() (baseKernel, error) {
	stock, err := openStockKernel(s.cfg.StockKernel)
	if err != nil {
		return baseKernel{}, err
	}
	modules, err := moduleOrder(stock.modules(), wantedModules())
	if err != nil {
		return baseKernel{}, err
	}
	return baseKernel{
		name: "stock kernel " + stock.version, image: stock.image(), packed: true,
		initrd: initramfs(s.cfg.GuestInit, modules),
	}, nil
}

// progressEvery is the time between two lines about a compile: few lines, but enough to see that it goes on.
const progressEvery = 20 * time.Second

func (s *Store) compileKernel(ctx context.Context, r *progress.Report) (kernel.Kernel, error) {
	r.Step("Compiling the minimal kernel")
	next := time.Now()
	k, err := s.cfg.MinimalSource.Build(ctx, func(p kernel.Progress) {
		if now := time.Now(); p.Waiting || !now.Before(next) {
			next = now.Add(progressEvery)
			r.Detail("%s", compileProgress(p))
		}
	})
	if err != nil {
		return k, err
	}
	r.Detail("Linux %s, %s", k.Release, units.Bytes(k.Size))
	return k, nil
}

func compileProgress(p kernel.Progress) string {
	switch {
	case p.Waiting:
		return "waiting for another compile"
	case p.Done == 0:
		return "unpacked its source and made its configuration"
	}
	line := fmt.Sprintf("%d of about %d objects, %s", p.Done, p.Total, p.Elapsed.Round(time.Second))
	if p.Resumed {
		line += ", going on where an earlier compile stopped"
	}
	return line
}

// writeTo writes the kernel as a machine boots it.
func (k baseKernel) writeTo(dst string) error {
	image, err := os.ReadFile(k.image)
	if err != nil {
		return err
	}
	if k.packed {
		image = bootable(image)
	}
	return os.WriteFile(dst, image, 0o644)
}

package contents

import (
	"context"
	"iter"

	"github.com/nodeos-dev/gitd/internal/contents/erofs"
	"github.com/nodeos-dev/gitd/internal/core"
)

// Change is a file that is in only one of two images, or differs. The side on which it is not is the zero File.
type Change struct{ Was, Is File }

// Path is that of the file.
func (c Change) Path() string {
	if c.Is.Path != "" {
		return c.Is.Path
	}
	return c.Was.Path
}

// Layer is the one in which the file is.
func (c Change) Layer() string {
	if c.Is.Layer != "" {
		return c.Is.Layer
	}
	return c.Was.Layer
}

// Sign is "+" for a file that came, "-" for one that went, and "~" for one that differs.
func (c Change) Sign() string {
	switch {
	case c.Was.Path == "":
		return "+"
	case c.Is.Path == "":
		return "-"
	}
	return "~"
}

// Changes are those from the image of a to that of b, layer by layer. Layers of one digest are not read. An error is
// the last.
func (r Reader) Changes(ctx context.Context, a, b core.Manifest) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		for _, name := range Names() {
			if r.same(a, b, name) {
				continue
			}
			for c, err := range merge(ctx, r.Files(ctx, a, name, false), r.Files(ctx, b, name, false)) {
				if !yield(c, err) || err != nil {
					return
				}
			}
		}
	}
}

// same reports whether both images have the same layer of this name.
func (r Reader) same(a, b core.Manifest, name string) bool {
	was, is := r.parts(a, name), r.parts(b, name)
	return len(was) == len(is) && (len(was) == 0 || was[0] == is[0])
}

// merge goes through two sorted lists side by side. Neither is in memory as a whole: a layer may have 500,000 files.
func merge(ctx context.Context, a, b iter.Seq2[File, error]) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		nextA, stopA := iter.Pull2(a)
		defer stopA()
		nextB, stopB := iter.Pull2(b)
		defer stopB()
		was, errA, moreA := nextA()
		is, errB, moreB := nextB()
		for moreA || moreB {
			for _, err := range []error{errA, errB} {
				if err != nil {
					yield(Change{}, err)
					return
				}
			}
			order := next(was, is, moreA, moreB)
			var c Change
			if order <= 0 {
				c.Was = was
			}
			if order >= 0 {
				c.Is = is
			}
			differs, err := c.differs(ctx)
			if err != nil || differs {
				if !yield(c, err) || err != nil {
					return
				}
			}
			if order <= 0 {
				was, errA, moreA = nextA()
			}
			if order >= 0 {
				is, errB, moreB = nextB()
			}
		}
	}
}

// next says which of two files comes first: -1, the one that was; 1, the one that is; 0: both are one.
func next(was, is File, moreA, moreB bool) int {
	switch {
	case !moreA:
		return 1
	case !moreB:
		return -1
	}
	return erofs.Compare(was.Path, is.Path)
}

// differs compares contents only where the rest is equal.
func (c Change) differs(ctx context.Context) (bool, error) {
	if c.Sign() != "~" {
		return true, nil
	}
	a, b := c.Was, c.Is
	if a.Mode != b.Mode || a.Size != b.Size || a.Link != b.Link {
		return true, nil
	}
	if !a.Mode.IsRegular() || a.content == nil || b.content == nil {
		return a.SHA256 != b.SHA256, nil
	}
	was, err := a.digest(ctx)
	if err != nil {
		return false, err
	}
	is, err := b.digest(ctx)
	return was != is, err
}

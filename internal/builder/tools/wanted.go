package tools

import (
	"cmp"
	"net/url"
	"time"

	"github.com/nodeos-dev/gitd/internal/builder/nodedist"
	"github.com/nodeos-dev/gitd/internal/builder/registry"
)

// Wanted is what must be true of a Node, and of a package manager, beside the registry's word. The zero value believes
// the registry, and npm's signatures where it has them.
type Wanted struct {
	Ledger     Ledger        // nil: what is in the cache was taken, and no more is known
	Signatures Signatures    // default Auto
	Keys       registry.Keys // of those who sign; nil: npm's
	Second     string        // URL of another registry, which must say the same; empty: none
	NodeDist   string        // URL of Node's own builds, which must be the same; empty: they are not asked for
	Wait       time.Duration // a range takes no version that was published less long ago, if an older one fits
}

// Trust makes w ready for what a client reads. What a second registry says is kept in dir, and what is on its way in
// scratch.
func (w Wanted) Trust(client *registry.Client, dir, scratch string) (Trust, error) {
	t := Trust{Ledger: w.Ledger, Signatures: cmp.Or(w.Signatures, Auto), Wait: w.Wait}
	client.Keys, client.Young = w.Keys, w.Wait
	var err error
	if client.Keys == nil {
		if client.Keys, err = registry.NPMKeys(); err != nil {
			return Trust{}, err
		}
	}
	if w.Second != "" {
		if t.Second, err = registry.New(w.Second, dir, scratch); err != nil {
			return Trust{}, err
		}
	}
	if w.NodeDist != "" {
		base, err := url.Parse(w.NodeDist)
		if err != nil {
			return Trust{}, err
		}
		t.Dist = nodedist.New(base)
	}
	return t, nil
}

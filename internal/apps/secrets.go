package apps

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Secrets shows what people set for apps to those who may see it.
type Secrets struct{ cfg Config }

// NewSecrets makes the Secrets of the apps.
func NewSecrets(cfg Config) *Secrets { return &Secrets{cfg} }

// ReadConfig returns the variables of app, all or the one called name, and notes in the audit who has read which. A
// variable that is not there was not read. What the audit does not take is not shown: otherwise whoever fills the disk
// first reads without a trace.
func (s *Secrets) ReadConfig(ctx context.Context, by core.Actor, app, name string) (map[string]string, error) {
	vars, err := s.cfg.Ledger.Vars(ctx, app)
	if err != nil {
		return nil, err
	}
	if name != "" {
		value, ok := vars[name]
		if !ok {
			return nil, core.Reject(app+" has no "+progress.Shorten(name), "`config "+app+"` lists what it has")
		}
		vars = map[string]string{name: value}
	}
	if len(vars) > 0 {
		names := strings.Join(slices.Sorted(maps.Keys(vars)), ", ")
		if err := s.cfg.Trail.Before(ctx, app, by.Name, "config.read", names); err != nil {
			return nil, fmt.Errorf("the audit does not take it, so nothing was shown: %w", err)
		}
	}
	return vars, nil
}

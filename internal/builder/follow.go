package builder

import (
	"context"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
)

// Follow finds out what the words of a person run in a machine of rel. It reads the commit, as the image's own
// package.json cannot be read without booting it.
func (b *Builder) Follow(_ context.Context, rel core.Release, words []string) ([]core.StartStep, error) {
	c, err := openCommit(image.Source{App: rel.App, Repo: b.cfg.State.Repo(rel.App), Commit: rel.Commit})
	if err != nil {
		return nil, err
	}
	defer c.close() //nolint:errcheck // it was only read
	return nodeapp.FollowWords(repoFS{c}, rel.Manifest.Dir, words)
}

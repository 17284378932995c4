package builder

import (
	"context"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
)

// Follow finds out what the words of a person run in a machine of rel. It reads the commit, as the image's own
// package.json cannot be read without booting it.
func (b *Builder) Follow(_ context.Context, rel core.Release, words []string) (steps []core.StartStep, err error) {
	err = b.reading(rel, func(c *commit) (err error) {
		steps, err = nodeapp.FollowWords(repoFS{c}, rel.Manifest.Dir, words)
		return err
	})
	return steps, err
}

// NodeWish is which Node the commit of rel asks for.
func (b *Builder) NodeWish(rel core.Release) (wish nodeapp.NodeWish, err error) {
	err = b.reading(rel, func(c *commit) error {
		p, err := nodeapp.MakePlan(repoFS{c}, rel.Manifest.Dir)
		wish = p.Node
		return err
	})
	return wish, err
}

func (b *Builder) reading(rel core.Release, read func(c *commit) error) error {
	c, err := openCommit(image.Source{App: rel.App, Repo: b.cfg.State.Repo(rel.App), Commit: rel.Commit})
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // it was only read
	return read(c)
}

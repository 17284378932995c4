package deploy

import (
	"context"
	"fmt"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
)

// This file is about the tags of a push, which are stored beside what is deployed. The clients are not shown where the
// tags stand (see repo.unseen), so what they say of it means nothing: the repository is asked, in the app's turn.

// compareTags finds what of the tags is to change, given those that are stored: object by full name. A tag that cannot
// be stored is refused here, before anything is built: git would refuse the whole transaction with it.
func (in *intent) compareTags(stored map[string]string) {
	names := taken{}
	for name := range stored {
		names.add(name)
	}
	pushed := in.tags
	in.tags = nil
	for _, c := range pushed {
		old, there := stored[c.Ref]
		deletion := core.Zero(c.New)
		if deletion && !there {
			in.reject(c, "there is no tag %s here", short(c.Ref))
			continue
		}
		if way := names.inTheWay(c.Ref); !deletion && way != "" {
			in.reject(c, "%s is in the way: delete it first", short(way))
			continue
		}
		names.add(c.Ref)
		switch {
		case !there:
			old = strings.Repeat("0", len(c.New))
		case !deletion:
			in.found(core.Command{Ref: c.Ref, Old: old, New: c.New})
		}
		if old != c.New {
			in.tags = append(in.tags, core.Command{Ref: c.Ref, Old: old, New: c.New})
		}
	}
}

// found has the client told where a tag stood that it believes to be new. What deploys is answered otherwise.
func (in *intent) found(m core.Command) {
	if in.deploy == nil || in.deploy.Ref != m.Ref {
		in.verdicts[m.Ref] = core.Verdict{Ref: m.Ref, Moved: &m}
	}
}

// taken are names of tags, and of the folders that they need: each with the tag that takes it. What the same push
// deletes is taken too: git frees no name for another within one transaction.
type taken map[string]string

func (t taken) add(ref string) {
	for name := ref; len(name) > len(tags); name = parent(name) {
		t[name] = ref
	}
}

// inTheWay finds a tag that stands where ref needs a folder, or needs a folder where ref would stand.
func (t taken) inTheWay(ref string) string {
	if other := t[ref]; other != "" && other != ref {
		return other
	}
	for dir := parent(ref); len(dir) > len(tags); dir = parent(dir) {
		if t[dir] == dir {
			return dir
		}
	}
	return ""
}

func parent(ref string) string { return ref[:max(strings.LastIndexByte(ref, '/'), 0)] }

// readTags compares the tags of the push with those that are stored.
func (p *pushing) readTags(ctx context.Context) error {
	if len(p.want.tags) == 0 {
		return nil
	}
	stored, err := p.cfg.Repos.Tags(ctx, p.app.Name)
	if err != nil {
		return err
	}
	p.want.compareTags(stored)
	if p.push.Atomic {
		p.want.allOrNone(p.push)
	}
	return nil
}

// acceptedTags are the changes of tags that nothing has refused meanwhile.
func (p *pushing) acceptedTags() []core.Command {
	var list []core.Command
	for _, c := range p.want.tags {
		if p.want.verdicts[c.Ref].Reject == "" {
			list = append(list, c)
		}
	}
	return list
}

// storeTags stores the tags that were not stored with the deploy branch, and says so.
func (p *pushing) storeTags(ctx context.Context) error {
	accepted := p.acceptedTags()
	if len(accepted) > 0 && !p.tagsStored {
		move, err := p.cfg.Repos.Prepare(ctx, p.app.Name, core.RefChange{Tags: accepted, Quarantine: p.push.Quarantine})
		if err == nil {
			err = move.Commit()
		}
		if err != nil {
			return fmt.Errorf("store tags: %w", err)
		}
	}
	p.sayTags()
	return nil
}

// sayTags counts what became of the tags that deploy nothing.
func (p *pushing) sayTags() {
	stored, deleted := 0, 0
	for _, c := range p.push.Commands {
		deploys := p.want.deploy != nil && p.want.deploy.Ref == c.Ref
		switch {
		case !strings.HasPrefix(c.Ref, tags), deploys, p.want.verdicts[c.Ref].Reject != "":
		case core.Zero(c.New):
			deleted++
		default:
			stored++
		}
	}
	if stored > 0 {
		p.report.Detail("%d tag(s) stored; a tag deploys when it is pushed alone", stored)
	}
	if deleted > 0 {
		p.report.Detail("%d tag(s) deleted", deleted)
	}
}

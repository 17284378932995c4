package deploy

import (
	"fmt"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
)

// intent is what a push asks for, after its refs have been judged.
type intent struct {
	deploy   *core.Command // the one command that deploys; nil: nothing to do
	trigger  core.Trigger
	branch   string // the app's deploy branch; a first push sets it
	verdicts map[string]core.Verdict
}

const (
	heads = "refs/heads/"
	tags  = "refs/tags/"
)

// judge decides what each ref of a push means, before anything is built. It looks at names only. branch is the app's
// deploy branch, which is empty before the first deployment.
func judge(p core.Push, branch string) intent {
	in := intent{branch: branch, verdicts: map[string]core.Verdict{}}
	var tagged []core.Command
	for _, c := range p.Commands {
		switch {
		case core.Zero(c.New):
			in.reject(c, "gitd keeps what it deployed: deleting %s is refused", short(c.Ref))
		case strings.HasPrefix(c.Ref, heads):
			in.judgeBranch(c, p.Shallow)
		case strings.HasPrefix(c.Ref, tags) && p.Shallow:
			in.reject(c, "a tag cannot be deployed from a shallow clone: git fetch --unshallow, then push again")
		case strings.HasPrefix(c.Ref, tags):
			tagged = append(tagged, c)
		default:
			in.reject(c, "only branches and tags can be pushed")
		}
	}
	in.judgeTags(tagged)
	if p.Atomic {
		in.allOrNone(p)
	}
	return in
}

// allOrNone refuses the whole push if any part of it was refused. git takes back the other refs of an atomic push, but
// it could not take back a deployment.
func (in *intent) allOrNone(p core.Push) {
	refused := false
	for _, v := range in.verdicts {
		refused = refused || v.Reject != ""
	}
	if !refused {
		return
	}
	in.deploy = nil
	for _, c := range p.Commands {
		if in.verdicts[c.Ref].Reject == "" {
			in.reject(c, "atomic push: another ref was refused")
		}
	}
}

func (in *intent) reject(c core.Command, format string, args ...any) {
	in.verdicts[c.Ref] = core.Verdict{Ref: c.Ref, Reject: fmt.Sprintf(format, args...)}
}

// judgeBranch accepts the deploy branch and refuses all other branches. Until an app has a deploy branch, it accepts
// main and master. Only git can store a branch from a shallow clone, because git keeps a list of where histories are
// cut off.
func (in *intent) judgeBranch(c core.Command, shallow bool) {
	name := strings.TrimPrefix(c.Ref, heads)
	first := in.branch == "" && (name == "main" || name == "master")
	switch {
	case first || name == in.branch:
		in.branch = name
		cmd := c
		in.deploy, in.trigger = &cmd, core.ByPush
		in.verdicts[c.Ref] = core.Verdict{Ref: c.Ref, Store: shallow}
	case in.branch == "":
		in.reject(c, "only main deploys; to deploy this branch: git push REMOTE %s:main", name)
	default:
		in.reject(c, "only %s deploys here; to deploy this branch: git push REMOTE %s:%s", in.branch, name, in.branch)
	}
}

// judgeTags decides about tags. One tag alone deploys what it names. Several tags, or a tag beside a branch, are
// labels. A label is accepted and not stored: if it were stored, git would answer a later push of it, which is the
// rollback, with "Everything up-to-date".
func (in *intent) judgeTags(tagged []core.Command) {
	alone := len(tagged) == 1 && in.deploy == nil && len(in.verdicts) == 0
	for _, c := range tagged {
		if alone {
			in.deploy, in.trigger = &c, core.ByTag
		}
		in.verdicts[c.Ref] = core.Verdict{Ref: c.Ref}
	}
}

// labels counts the accepted tags that deploy nothing.
func (in *intent) labels() int {
	n := 0
	for ref, v := range in.verdicts {
		if strings.HasPrefix(ref, tags) && v.Reject == "" && (in.deploy == nil || in.deploy.Ref != ref) {
			n++
		}
	}
	return n
}

// list returns the verdicts in the order of the push's commands.
func (in *intent) list(p core.Push) []core.Verdict {
	out := make([]core.Verdict, 0, len(p.Commands))
	for _, c := range p.Commands {
		out = append(out, in.verdicts[c.Ref])
	}
	return out
}

func short(ref string) string {
	for _, prefix := range []string{heads, tags} {
		if s, ok := strings.CutPrefix(ref, prefix); ok {
			return s
		}
	}
	return ref
}

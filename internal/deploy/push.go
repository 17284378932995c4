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
	branch   string         // the app's deploy branch; set by a first push
	onlyTags bool           // a push of the branch is refused
	tags     []core.Command // to be stored, moved or deleted; Old is what the client believes
	verdicts map[string]core.Verdict
}

const (
	heads = "refs/heads/"
	tags  = "refs/tags/"
)

// judge decides what each ref of a push means, before anything is built. It looks at names only. branch is the app's
// deploy branch, which is empty before the first deployment.
// onlyTags says that pushes of the branch are not wanted.
func judge(p core.Push, branch string, onlyTags bool) intent {
	in := intent{branch: branch, onlyTags: onlyTags, verdicts: map[string]core.Verdict{}}
	named := map[string]int{}
	for _, c := range p.Commands {
		named[c.Ref]++
	}
	for _, c := range p.Commands {
		switch {
		case named[c.Ref] > 1:
			in.reject(c, "%s is named twice in this push", short(c.Ref))
		case core.CheckRefName(c.Ref) != nil:
			in.reject(c, "%v", core.CheckRefName(c.Ref))
		case strings.HasPrefix(c.Ref, tags):
			in.judgeTag(c, p.Shallow)
		case core.Zero(c.New):
			in.reject(c, "gitd keeps what it deployed: deleting %s is refused", short(c.Ref))
		case strings.HasPrefix(c.Ref, heads):
			in.judgeBranch(c, p.Shallow)
		default:
			in.reject(c, "only branches and tags can be pushed")
		}
	}
	if len(p.Commands) == 1 && len(in.tags) == 1 && !core.Zero(in.tags[0].New) {
		in.deploy, in.trigger = &in.tags[0], core.ByTag
	}
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
	in.rejectOthers(p, "atomic push: another ref was refused")
}

// rejectOthers refuses every ref that is not refused yet.
func (in *intent) rejectOthers(p core.Push, reason string) {
	for _, c := range p.Commands {
		if in.verdicts[c.Ref].Reject == "" {
			in.reject(c, "%s", reason)
		}
	}
}

func (in *intent) reject(c core.Command, format string, args ...any) {
	in.verdicts[c.Ref] = core.Verdict{Ref: c.Ref, Reject: fmt.Sprintf(format, args...)}
	if in.deploy != nil && in.deploy.Ref == c.Ref {
		in.deploy = nil
	}
}

// judgeBranch accepts the deploy branch and refuses all other branches. Until an app has a deploy branch, it accepts
// main and master. Only git can store a branch from a shallow clone, because git keeps a list of where histories are
// cut off.
func (in *intent) judgeBranch(c core.Command, shallow bool) {
	name := strings.TrimPrefix(c.Ref, heads)
	first := in.branch == "" && (name == "main" || name == "master")
	switch {
	case in.onlyTags:
		in.reject(c, "only tags deploy here: git tag v1.2.3 && git push REMOTE v1.2.3")
	case first || name == in.branch:
		in.branch = name
		cmd := c
		in.deploy, in.trigger = &cmd, core.ByPush
		in.verdicts[c.Ref] = core.Verdict{Ref: c.Ref, Store: shallow}
	case in.branch == "":
		in.reject(c, "only main deploys; to deploy this branch: git push REMOTE <local>:main")
	default:
		in.reject(c, "only %s deploys here; to deploy this branch: git push REMOTE <local>:%s", in.branch, in.branch)
	}
}

// judgeTag: a tag is stored, and one that is pushed alone is a deployment of what it names besides.
func (in *intent) judgeTag(c core.Command, shallow bool) {
	if shallow && !core.Zero(c.New) {
		in.reject(c, "a tag cannot be pushed from a shallow clone: git fetch --unshallow, then push again")
		return
	}
	in.tags = append(in.tags, c)
	in.verdicts[c.Ref] = core.Verdict{Ref: c.Ref}
}

// what names the push to those who wait for it.
func (in *intent) what() string {
	if in.deploy == nil {
		return "a push of tags"
	}
	return fmt.Sprintf("a push of %.7s", in.deploy.New)
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

package deploy

import (
	"fmt"
	"strings"
	"time"
)

// Push is one git push, as the server's git received it. Its objects are
// already in the repository.
type Push struct {
	App      string
	By       Actor
	Started  time.Time
	Commands []Command
	Shallow  bool // the client's history is cut off
	Atomic   bool // all refs move, or none
}

// Command asks for one ref to move.
type Command struct {
	Ref string // full name
	Old string // zeros: the ref is new
	New string // zeros: the ref is to be deleted
}

// Verdict answers one Command.
type Verdict struct {
	Ref    string `json:"ref"`
	Reject string `json:"reject,omitempty"` // why not; empty: accepted
	// Store asks git itself to move the ref, when it is that of a shallow push.
	// Without it git stores nothing: the core has moved the ref, or none moves.
	Store bool `json:"store,omitempty"`
	// Moved tells the client that another ref was moved in its place.
	Moved *Command `json:"moved,omitempty"`
}

// intent is what a push wants once its refs have been judged.
type intent struct {
	deploy   *Command // the one command that deploys; nil: nothing to do
	trigger  Trigger
	branch   string // the app's deploy branch; set by a first push
	verdicts map[string]Verdict
}

const (
	heads = "refs/heads/"
	tags  = "refs/tags/"
)

// Zero reports whether an object name is git's "nothing": all zeros.
func Zero(oid string) bool { return strings.Trim(oid, "0") == "" }

// judge decides what each ref of a push means, before anything is built. It
// looks at names only. branch is the app's deploy branch, empty before the
// first deployment.
func judge(p Push, branch string) intent {
	in := intent{branch: branch, verdicts: map[string]Verdict{}}
	var tagged []Command
	for _, c := range p.Commands {
		switch {
		case Zero(c.New):
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

// allOrNone refuses the whole push if any part of it was refused: git takes
// back the other refs of an atomic push, but could not take back what was
// deployed for them.
func (in *intent) allOrNone(p Push) {
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

func (in *intent) reject(c Command, format string, args ...any) {
	in.verdicts[c.Ref] = Verdict{Ref: c.Ref, Reject: fmt.Sprintf(format, args...)}
}

// judgeBranch takes the deploy branch and refuses the others. Until an app
// has one, main and master both qualify. What came from a shallow clone can be
// stored by git alone, which keeps a list of where histories are cut off.
func (in *intent) judgeBranch(c Command, shallow bool) {
	name := strings.TrimPrefix(c.Ref, heads)
	first := in.branch == "" && (name == "main" || name == "master")
	switch {
	case first || name == in.branch:
		in.branch = name
		cmd := c
		in.deploy, in.trigger = &cmd, ByPush
		in.verdicts[c.Ref] = Verdict{Ref: c.Ref, Store: shallow}
	case in.branch == "":
		in.reject(c, "only main deploys; to deploy this branch: git push REMOTE %s:main", name)
	default:
		in.reject(c, "only %s deploys here; to deploy this branch: git push REMOTE %s:%s", in.branch, name, in.branch)
	}
}

// judgeTags: one tag alone is a deployment of what it names; several, or a
// tag beside the branch, are labels. A label is accepted and not stored: a
// stored tag would make a later push of it "Everything up-to-date", and that
// push is the rollback.
func (in *intent) judgeTags(tagged []Command) {
	alone := len(tagged) == 1 && in.deploy == nil && len(in.verdicts) == 0
	for _, c := range tagged {
		if alone {
			in.deploy, in.trigger = &c, ByTag
		}
		in.verdicts[c.Ref] = Verdict{Ref: c.Ref}
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
func (in *intent) list(p Push) []Verdict {
	out := make([]Verdict, 0, len(p.Commands))
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

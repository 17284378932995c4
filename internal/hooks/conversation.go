// Package hooks is what git runs during a push: the proc-receive and
// post-receive hooks, and the desk in the daemon that they talk to.
//
// It owns the conversation with git (pkt-lines, the verdict for each ref) and
// the table of pushes under way. It does not own what a push means: the desk
// hands it to the core.
package hooks

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"

	"github.com/nodeos-dev/gitd/internal/core"
)

// maxOptions bounds the options of one push. The door lets fewer through; see
// repo.opening.
const maxOptions = 64 << 10

// version is the protocol that the hook speaks with git. githooks(5) describes it under "proc-receive".
const version = "version=1"

// conversation is what git has announced.
type conversation struct {
	atomic  bool // all refs move, or none
	options bool // a section of push options follows the commands
}

// greet reads git's version line and answers it.
func greet(in *pktline.Scanner, out *pktline.Encoder) (c conversation, err error) {
	lines, err := section(in, 1)
	if err != nil {
		return c, err
	}
	if len(lines) == 0 {
		return c, errNothing
	}
	offered, capabilities, _ := strings.Cut(lines[0], "\x00")
	if offered != version {
		return c, fmt.Errorf("git speaks proc-receive %q, not %q: git 2.29 or later is needed", offered, version)
	}
	var wanted []string
	known := map[string]*bool{"atomic": &c.atomic, "push-options": &c.options}
	for name := range strings.FieldsSeq(capabilities) {
		if flag := known[name]; flag != nil && !*flag {
			*flag = true
			wanted = append(wanted, name)
		}
	}
	reply := version
	if len(wanted) > 0 {
		reply += "\x00" + strings.Join(wanted, " ")
	}
	if err := out.EncodeString(reply + "\n"); err != nil {
		return c, err
	}
	return c, out.Flush()
}

// commands reads the refs that the push wants to move.
func commands(in *pktline.Scanner) ([]core.Command, error) {
	lines, err := section(in, core.MaxCommands)
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 {
		return nil, errNothing
	}
	list := make([]core.Command, 0, len(lines))
	for _, l := range lines {
		part := strings.SplitN(l, " ", 3)
		if len(part) != 3 || part[2] == "" {
			return nil, fmt.Errorf("git sent %q where a ref command was due", l)
		}
		if err := checkNames(part[0], part[1]); err != nil {
			return nil, fmt.Errorf("git sent %.200q where a ref command was due: %w", l, err)
		}
		list = append(list, core.Command{Old: part[0], New: part[1], Ref: part[2]})
	}
	return list, nil
}

// checkNames returns an error if one of names is not the name of an object. The error says what to do about it.
func checkNames(names ...string) error {
	for _, n := range names {
		err := core.CheckObjectName(n)
		if rej := (*core.Rejection)(nil); errors.As(err, &rej) {
			return fmt.Errorf("%w: %s", rej, rej.Hint)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var errNothing = errors.New("git sent nothing")

// section reads pkt-lines up to a flush. There must be at least one line, and at most limit.
func section(in *pktline.Scanner, limit int) ([]string, error) {
	var lines []string
	for in.Scan() {
		b := in.Bytes()
		if len(b) == 0 {
			return lines, nil
		}
		if len(lines) == limit {
			return nil, fmt.Errorf("more than %d lines in one push", limit)
		}
		lines = append(lines, string(bytes.TrimSuffix(b, []byte("\n"))))
	}
	if err := in.Err(); err != nil {
		return nil, err
	}
	return nil, io.ErrUnexpectedEOF
}

// answer sends the verdicts to git.
func answer(w io.Writer, verdicts []core.Verdict) error {
	out := pktline.NewEncoder(w)
	for _, v := range verdicts {
		for _, l := range report(v) {
			if err := out.EncodeString(l + "\n"); err != nil {
				return err
			}
		}
	}
	return out.Flush()
}

// report returns the pkt-lines that say one verdict in git's protocol.
func report(v core.Verdict) []string {
	switch {
	case v.Reject != "":
		return []string{"ng " + v.Ref + " " + strings.ReplaceAll(v.Reject, "\n", " ")}
	case v.Store:
		return []string{"ok " + v.Ref, "option fall-through"}
	case v.Moved != nil:
		return append([]string{"ok " + v.Ref}, moved(v)...)
	default:
		return []string{"ok " + v.Ref}
	}
}

// moved are the options that say what was moved in place of a verdict's ref, or from where.
func moved(v core.Verdict) []string {
	var lines []string
	if v.Moved.Ref != v.Ref {
		lines = append(lines, "option refname "+v.Moved.Ref)
	}
	lines = append(lines, "option old-oid "+v.Moved.Old, "option new-oid "+v.Moved.New)
	if v.Moved.Old != v.Moved.New {
		lines = append(lines, "option forced-update")
	}
	return lines
}

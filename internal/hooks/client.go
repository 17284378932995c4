package hooks

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"

	"github.com/nodeos-dev/gitd/internal/control"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/deploy"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Names of the hooks. Git looks for the hooks under these names, and their control calls have the same names.
const (
	ProcReceive = "proc-receive"
	PostReceive = "post-receive"
)

// Environment variables that the daemon sets for the hooks of a push.
const (
	pushVar   = "GITD_PUSH"
	socketVar = "GITD_SOCKET"
)

// request is what the proc-receive hook tells the desk.
type request struct {
	Commands []core.Command `json:"commands"`
	Shallow  bool           `json:"shallow"`
	Atomic   bool           `json:"atomic"`
	Options  []string       `json:"options,omitempty"`
}

// Install puts the hooks into dir, as symbolic links to program, which is gitd-hook. It knows from the name by which it
// is called which hook it is, so no shell is involved.
func Install(dir, program string) error {
	for _, name := range []string{ProcReceive, PostReceive} {
		path := filepath.Join(dir, name)
		if target, err := os.Readlink(path); err == nil && target == program {
			continue
		}
		fresh := path + ".new"
		if err := os.Remove(fresh); err != nil && !os.IsNotExist(err) {
			return err
		}
		if err := os.Symlink(program, fresh); err != nil {
			return err
		}
		if err := os.Rename(fresh, path); err != nil {
			return err
		}
	}
	return nil
}

// Run is the main function of a hook's process. It speaks with git on in and out, passes the push to the daemon, and
// prints progress for people to msg.
func Run(ctx context.Context, name string, in io.Reader, out, msg io.Writer) error {
	push, socket := os.Getenv(pushVar), os.Getenv(socketVar)
	if push == "" || socket == "" {
		return fmt.Errorf("the %s hook runs inside a push only", name)
	}
	ask := func(body []byte) ([]byte, error) {
		var reply bytes.Buffer
		code, err := control.Do(ctx, socket, control.Call{Name: name, Args: []string{push}},
			control.Streams{In: bytes.NewReader(body), Out: &reply, Err: msg})
		if err == nil && code != 0 {
			err = fmt.Errorf("gitd refused the call (status %d)", code)
		}
		return reply.Bytes(), err
	}
	if name == PostReceive {
		io.Copy(io.Discard, in) //nolint:errcheck // git may be told of refs; the daemon knows them
		summary, err := ask(nil)
		msg.Write(summary) //nolint:errcheck // nobody is left to be told
		return err
	}
	return converse(in, out, os.Getenv("GIT_SHALLOW_FILE") != "", ask)
}

// converse speaks the proc-receive protocol with git. If the daemon does not answer, each ref is refused with the
// reason: git by itself would only say "fail to run proc-receive hook".
func converse(in io.Reader, out io.Writer, shallow bool, ask func([]byte) ([]byte, error)) error {
	scan := pktline.NewScanner(in)
	talk, err := greet(scan, pktline.NewEncoder(out))
	if err != nil {
		return err
	}
	cmds, err := commands(scan)
	if err != nil {
		return err
	}
	var options []string
	if talk.options {
		if options, err = section(scan, maxOptions); err != nil {
			return err
		}
	}
	body, err := json.Marshal(request{Commands: cmds, Shallow: shallow, Atomic: talk.atomic, Options: options})
	if err != nil {
		return err
	}
	var outcome deploy.Outcome
	reply, err := ask(body)
	if err == nil {
		err = json.Unmarshal(reply, &outcome)
	}
	if err != nil {
		outcome.Verdicts = refuse(cmds, err)
	}
	return answer(out, outcome.Verdicts)
}

// refuse rejects every ref because the daemon could not be asked.
func refuse(cmds []core.Command, err error) []core.Verdict {
	reason, _, _ := strings.Cut(err.Error(), ":")
	var list []core.Verdict
	for _, c := range cmds {
		list = append(list, core.Verdict{Ref: c.Ref, Reject: progress.Printable(reason) + "; push again"})
	}
	return list
}

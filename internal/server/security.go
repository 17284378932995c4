package server

import (
	"errors"
	"strings"

	"github.com/gliderlabs/ssh"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// refusedEvent is a command line that its caller may not run. Of its words, the event has the first and the app:
// others may be secrets.
func refusedEvent(sess ssh.Session, who core.Actor, words []string, why string) audit.Event {
	action := "command"
	if isGit(words) {
		action = "git"
	}
	return audit.Event{
		Action: action, Result: audit.Refused, Actor: who.Name, From: sess.RemoteAddr().String(), App: appOf(words),
		Detail: progress.Shorten(nameOf(words)) + ": " + why,
	}
}

// appOf is the app that a command line is about, or "".
func appOf(words []string) string {
	if len(words) < 2 {
		return ""
	}
	name := words[1]
	kind, _, _ := strings.Cut(words[0], ":")
	switch {
	case isGit(words):
		name = repoName(name)
	case kind == "users" || kind == "keys": // the word is the name of a person
		return ""
	}
	if core.CheckName(name) != nil {
		return ""
	}
	return name
}

func isGit(words []string) bool {
	return len(words) > 0 && (words[0] == receivePack || words[0] == uploadPack)
}

// refuse tells a client why something is not done, and what to type, and returns the exit code.
func refuse(sess ssh.Session, err error) int {
	r := progress.NewReport(sess.Stderr())
	r.Warn("%v", err)
	if rej, ok := errors.AsType[*core.Rejection](err); ok && rej.Hint != "" {
		r.Warn("%s", rej.Hint)
	}
	return 1
}

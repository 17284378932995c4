package notify

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// The events that a webhook can be told of.
const (
	Deployed    = "deployed"    // a release is live
	Failed      = "failed"      // a deployment has failed
	Crashed     = "crashed"     // an app or its machine has ended, or does not come back
	Certificate = "certificate" // a certificate ends soon
	Disk        = "disk"        // the host's disk is nearly full
)

// Events are all of them, in the order in which people see them.
var Events = []string{Deployed, Failed, Crashed, Certificate, Disk}

// The actions of entries of the audit that gitd makes for webhooks.
const (
	CertificateEnds = "certificate.ends" // Detail: the host, and when
	DiskLow         = "disk.low"         // Detail: what is left
)

// eventOf are the events that entries of the audit stand for.
var eventOf = map[string]string{
	"release.live": Deployed, "release.failed": Failed,
	"app.crashed": Crashed, "machine.lost": Crashed, "machine.failed": Crashed,
	CertificateEnds: Certificate, DiskLow: Disk,
}

// ParseEvents reads a list with commas; empty: all that an app has, or all of them for a webhook of all apps.
func ParseEvents(text, app string) (events []string, err error) {
	all := Events
	if app != "" {
		all = slices.DeleteFunc(slices.Clone(Events), func(e string) bool { return e == Disk })
	}
	if text == "" {
		return all, nil
	}
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		switch {
		case !slices.Contains(Events, name):
			return nil, core.Reject(fmt.Sprintf("there is no event %.20q", name), "the events are "+strings.Join(all, ", "))
		case !slices.Contains(all, name):
			return nil, core.Reject("the disk is the host's, and not an app's", "an administrator can have the event disk: notify:add --all URL --events disk")
		case !slices.Contains(events, name):
			events = append(events, name)
		}
	}
	return events, nil
}

// Message is the body of a request: a message of version 1. Later versions of gitd only add fields; docs/drains.md has
// them.
type Message struct {
	Version   int       `json:"version"`
	Type      string    `json:"type"` // an event, or "test"
	Timestamp time.Time `json:"timestamp"`
	Text      string    `json:"text"` // for people; chat systems show it
	Data      Data      `json:"data"`
}

// Data is what a message is about. What does not apply is left out.
type Data struct {
	Host    string `json:"host"` // the server
	App     string `json:"app,omitempty"`
	URL     string `json:"url,omitempty"`
	Release int    `json:"release,omitempty"`
	Commit  string `json:"commit,omitempty"` // short
	Actor   string `json:"actor,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Skipped int    `json:"skipped,omitempty"` // events of this kind that were not told since the last one
}

// version is the only one so far.
const version = 1

// release is how entries of the audit name one: "v3 1a2b3c4: reason".
var release = regexp.MustCompile(`^v([0-9]+) ([0-9a-f]*)(?:: (.*))?$`)

// message is what is told of an entry.
func (s *Webhooks) message(event string, e core.Entry, skipped int) Message {
	m := Message{Version: version, Type: event, Timestamp: e.Time.UTC(), Data: Data{Host: s.cfg.Host, App: e.App, Actor: e.Actor, Skipped: skipped}}
	d := &m.Data
	if e.App != "" {
		d.URL = s.cfg.URL(e.App)
	}
	if parts := release.FindStringSubmatch(e.Detail); parts != nil {
		d.Release, _ = strconv.Atoi(parts[1])
		d.Commit, d.Reason = parts[2], parts[3]
	} else {
		d.Reason = e.Detail
	}
	m.Text = d.text(event)
	return m
}

// text is a message for people.
func (d Data) text(event string) string {
	more := ""
	if d.Skipped > 0 {
		more = fmt.Sprintf(" (and %d more since the last message)", d.Skipped)
	}
	switch event {
	case Deployed:
		return fmt.Sprintf("%s v%d is live at %s (%s, by %s)", d.App, d.Release, d.URL, d.Commit, d.Actor)
	case Failed:
		return fmt.Sprintf("%s v%d failed (%s, by %s): %s", d.App, d.Release, d.Commit, d.Actor, d.Reason)
	case Crashed:
		return fmt.Sprintf("%s has crashed: %s%s", d.App, d.Reason, more)
	case Certificate:
		return fmt.Sprintf("A certificate ends soon: %s", d.Reason)
	case Disk:
		return fmt.Sprintf("The disk of %s is nearly full: %s", d.Host, d.Reason)
	}
	return fmt.Sprintf("A test of gitd on %s, by %s", d.Host, d.Actor)
}

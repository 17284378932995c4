package deploy

import (
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// wishes are what the options of a push (git push -o) ask for.
type wishes struct {
	objects bool     // json: progress and result as objects, one a line
	dry     bool     // dry-run: all is tried and nothing is changed
	unclear string   // an option that was perhaps to be dry-run: ignored, it would deploy
	ignored []string // that mean nothing here
}

func wishesOf(options []string) (w wishes) {
	for _, o := range options {
		switch word := strings.ToLower(o); {
		case word == "json":
			w.objects = true
		case word == "dry-run":
			w.dry = true
		case strings.HasPrefix(strings.Trim(word, "-_"), "dry"):
			w.unclear = progress.Shorten(progress.OneLine(o))
		default:
			w.ignored = append(w.ignored, o)
		}
	}
	return w
}

// maxIgnored is how many push options are named; the others are counted.
const maxIgnored = 5

// sayIgnored tells the pusher of options that mean nothing here.
func (w wishes) sayIgnored(r *progress.Report) {
	for _, o := range w.ignored[:min(len(w.ignored), maxIgnored)] {
		r.Warn("the push option %q means nothing here, and is ignored: there are json and dry-run", progress.Shorten(progress.OneLine(o)))
	}
	if more := len(w.ignored) - maxIgnored; more > 0 {
		r.Warn("%d more push options are ignored", more)
	}
}

// Result is the last object of a push with -o json. docs/ci.md describes it.
type Result struct {
	Time time.Time `json:"time"`
	Type string    `json:"type"` // result
	// Result is "live"; "checked" for a dry run; "unchanged" if there was nothing to deploy; or else why nothing was:
	// "refused", "failed", "superseded" or "interrupted".
	Result  string           `json:"result"`
	App     string           `json:"app"`
	Release int              `json:"release,omitempty"` // that is live, or has failed
	Commit  string           `json:"commit,omitempty"`
	URL     string           `json:"url,omitempty"`    // of what is live
	Reason  string           `json:"reason,omitempty"` // of what was refused or has failed
	Phase   string           `json:"phase,omitempty"`  // in which it has
	Phases  map[string]int64 `json:"phases_ms"`
}

// object is how a push has ended.
func (s *story) object(ended core.Ended, o Outcome, want wishes, r *progress.Report, url func(app string) string) Result {
	s.mu.Lock()
	w, live := s.work, s.live
	s.mu.Unlock()
	res := Result{
		Time: time.Now().UTC().Truncate(time.Millisecond), Type: "result", Result: string(ended.Result), App: w.App,
		Release: w.Release, Commit: w.Commit, Phase: ended.Phase, Phases: map[string]int64{},
	}
	for _, step := range r.Steps() {
		res.Phases[step.Name] = step.Took.Milliseconds()
	}
	if why := o.refused(); why != nil {
		res.Reason = why.Error()
	}
	switch {
	case live:
		res.Result, res.URL = "live", url(w.App)
	case ended.Result == core.ResultOK && want.dry:
		res.Result = "checked"
	case ended.Result == core.ResultOK:
		res.Result = "unchanged"
	}
	return res
}

// inObjects puts the result behind all else: behind the summary, which git prints when it has moved its refs, or, if
// it moves none, at once.
func (o *Outcome) inObjects(now *progress.Objects, last Result) {
	accepted := false
	for _, v := range o.Verdicts {
		accepted = accepted || v.Reject == ""
	}
	if !accepted {
		now.Put(last) //nolint:errcheck // a pusher who has gone must not stop anything
		return
	}
	var text strings.Builder
	later := progress.NewObjects(&text)
	later.Write([]byte(o.Summary)) //nolint:errcheck // a strings.Builder takes all
	later.Put(last)                //nolint:errcheck // the same
	o.Summary = text.String()
}

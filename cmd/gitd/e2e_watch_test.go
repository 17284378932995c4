package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nodeos-dev/gitd/internal/trace/tracetest"
)

// cmdScraped reads the metrics at $METRICS until they have what an expression matches, and writes them to a file:
// scraped FILE REGEXP.
func cmdScraped(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: scraped FILE REGEXP")
	}
	want := regexp.MustCompile("(?m)" + args[1])
	var text []byte
	for deadline := time.Now().Add(eventLimit); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		res, err := http.Get(ts.Getenv("METRICS"))
		ts.Check(err)
		text, err = io.ReadAll(res.Body)
		res.Body.Close()
		ts.Check(err)
		if want.Match(text) {
			ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o600))
			return
		}
	}
	ts.Fatalf("no %s in\n%s", args[1], text)
}

type receiverKey struct{}

// cmdOTLP receives traces of OpenTelemetry from now on, and sets the variable OTLP to its URL: otlp. `otlp FILE REGEXP`
// waits for what the expression matches, and writes all traces to a file.
func cmdOTLP(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		r := tracetest.New()
		ts.Defer(r.Close)
		ts.Value(receiverKey{}).(*receivers).of = r
		ts.Setenv("OTLP", r.URL)
		return
	}
	r, want := ts.Value(receiverKey{}).(*receivers).of, regexp.MustCompile(args[1])
	for limit := time.After(eventLimit); ; {
		text := r.Tree()
		if want.MatchString(text) {
			ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
			return
		}
		select {
		case <-r.Came:
		case <-limit:
			ts.Fatalf("no %s in\n%s", args[1], text)
		}
	}
}

// receivers is the receiver of a script.
type receivers struct{ of *tracetest.Receiver }

// cmdDescribed checks that each metric of gitd in a file has its row in docs/watching.md, with the type and the text
// that Prometheus is told: described FILE.
func cmdDescribed(ts *testscript.TestScript, neg bool, args []string) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "watching.md"))
	ts.Check(err)
	about := regexp.MustCompile(`(?m)^# HELP (gitd_[a-z_]+) (.*)\n# TYPE gitd_[a-z_]+ (.*)$`).FindAllStringSubmatch(ts.ReadFile(args[0]), -1)
	if len(about) < 30 {
		ts.Fatalf("%d metrics", len(about))
	}
	for _, m := range about {
		row := regexp.MustCompile("(?m)^" + regexp.QuoteMeta("| `"+m[1]+"` | "+m[3]+" |") + "[^|]*" + regexp.QuoteMeta("| "+m[2]+" |") + "$")
		if !row.Match(doc) {
			ts.Fatalf("docs/watching.md does not describe the %s %s: %s", m[3], m[1], m[2])
		}
	}
}

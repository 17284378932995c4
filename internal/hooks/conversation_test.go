package hooks

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/deploy"
)

const (
	none = "0000000000000000000000000000000000000000"
	aaa  = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	bbb  = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// say returns what git sends: each line as a pkt-line, and "" as a flush.
func say(t testing.TB, lines ...string) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	enc := pktline.NewEncoder(&b)
	for _, l := range lines {
		var err error
		if l == "" {
			err = enc.Flush()
		} else {
			err = enc.EncodeString(l)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return &b
}

// heard returns the pkt-lines that the hook has written, without their lengths.
func heard(t testing.TB, out io.Reader) []string {
	t.Helper()
	var lines []string
	scan := pktline.NewScanner(out)
	for scan.Scan() {
		lines = append(lines, strings.TrimSuffix(string(scan.Bytes()), "\n"))
	}
	if err := scan.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestConverse(t *testing.T) {
	push := []string{"version=1\x00push-options atomic\n", "", none + " " + aaa + " refs/heads/main", "", "ci.skip", "a=b c", ""}
	tests := []struct {
		name    string
		outcome deploy.Outcome
		err     error
		want    []string
	}{
		{"stored", deploy.Outcome{Verdicts: []core.Verdict{{Ref: "refs/heads/main", Store: true}}}, nil,
			[]string{"ok refs/heads/main", "option fall-through"}},
		{"refused", deploy.Outcome{Verdicts: []core.Verdict{{Ref: "refs/heads/main", Reject: "build failed:\nnpm ci exited 1"}}}, nil,
			[]string{"ng refs/heads/main build failed: npm ci exited 1"}},
		{"moved", deploy.Outcome{Verdicts: []core.Verdict{{Ref: "refs/tags/v1", Moved: &core.Command{Ref: "refs/heads/main", Old: bbb, New: aaa}}}}, nil,
			[]string{"ok refs/tags/v1", "option refname refs/heads/main", "option old-oid " + bbb, "option new-oid " + aaa, "option forced-update"}},
		{"moved from elsewhere", deploy.Outcome{Verdicts: []core.Verdict{{Ref: "refs/tags/v1", Moved: &core.Command{Ref: "refs/tags/v1", Old: bbb, New: aaa}}}}, nil,
			[]string{"ok refs/tags/v1", "option old-oid " + bbb, "option new-oid " + aaa, "option forced-update"}},
		{"was there", deploy.Outcome{Verdicts: []core.Verdict{{Ref: "refs/tags/v1", Moved: &core.Command{Ref: "refs/tags/v1", Old: aaa, New: aaa}}}}, nil,
			[]string{"ok refs/tags/v1", "option old-oid " + aaa, "option new-oid " + aaa}},
		{"accepted", deploy.Outcome{Verdicts: []core.Verdict{{Ref: "refs/tags/v1"}}}, nil, []string{"ok refs/tags/v1"}},
		{"no daemon", deploy.Outcome{}, errors.New("gitd went away: EOF"), []string{"ng refs/heads/main gitd went away; push again"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			var asked request
			err := converse(say(t, push...), &out, true, func(body []byte) ([]byte, error) {
				if err := json.Unmarshal(body, &asked); err != nil {
					t.Fatal(err)
				}
				reply, err := json.Marshal(tt.outcome)
				return reply, errors.Join(err, tt.err)
			})
			if err != nil {
				t.Fatal(err)
			}
			if !asked.Shallow || !asked.Atomic || len(asked.Commands) != 1 || asked.Commands[0] != (core.Command{Ref: "refs/heads/main", Old: none, New: aaa}) ||
				strings.Join(asked.Options, "|") != "ci.skip|a=b c" {
				t.Errorf("the daemon was asked %+v", asked)
			}
			want := append([]string{"version=1\x00push-options atomic", ""}, append(tt.want, "")...)
			if got := heard(t, &out); strings.Join(got, "|") != strings.Join(want, "|") {
				t.Errorf("we said\n%q, want\n%q", got, want)
			}
		})
	}
}

func TestConverseWithNonsense(t *testing.T) {
	tests := map[string][]string{
		"nothing":            {},
		"only a flush":       {""},
		"another version":    {"version=2", ""},
		"no commands":        {"version=1", "", ""},
		"options cut off":    {"version=1\x00push-options", "", none + " " + aaa + " refs/heads/main", "", "x"},
		"cut off":            {"version=1", "", none + " " + aaa + " refs/heads/main"},
		"not a command":      {"version=1", "", "hello", ""},
		"a short name":       {"version=1", "", "0000 " + aaa + " refs/heads/main", ""},
		"an option-like oid": {"version=1", "", "--upload-pack=x " + aaa + " refs/heads/main", ""},
	}
	for name, lines := range tests {
		t.Run(name, func(t *testing.T) {
			err := converse(say(t, lines...), io.Discard, false, func([]byte) ([]byte, error) {
				t.Error("the daemon was asked")
				return nil, nil
			})
			if err == nil {
				t.Error("no error")
			}
		})
	}
}

// TestConverseWithSHA256: a push from a repository with SHA-256 names is told the reason and what to do, before the
// daemon is asked.
func TestConverseWithSHA256(t *testing.T) {
	zeros, name := strings.Repeat("0", 64), strings.Repeat("5e", 32)
	err := converse(say(t, "version=1", "", zeros+" "+name+" refs/heads/main", ""), io.Discard, false, func([]byte) ([]byte, error) {
		t.Error("the daemon was asked")
		return nil, nil
	})
	var rej *core.Rejection
	if !errors.As(err, &rej) || !strings.Contains(err.Error(), "SHA-256") || !strings.Contains(err.Error(), "--object-format=sha1") {
		t.Errorf("the pusher reads: %v", err)
	}
}

// FuzzConverse: whatever bytes arrive in place of git's words, the hook ends, and asks the daemon only about
// well-formed commands.
func FuzzConverse(f *testing.F) {
	f.Add(say(f, "version=1\x00atomic", "", none+" "+aaa+" refs/heads/main", "").Bytes())
	f.Add(say(f, "version=1", "", none+" "+aaa+" refs/tags/a b", aaa+" "+none+" refs/heads/x", "").Bytes())
	f.Add(say(f, "version=1\x00push-options push-options", "", none+" "+aaa+" refs/heads/x", "", "a=b", "").Bytes())
	f.Add([]byte("0000"))
	f.Add([]byte("fffe"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		err := converse(bytes.NewReader(in), &out, false, func(body []byte) ([]byte, error) {
			var r request
			if err := json.Unmarshal(body, &r); err != nil {
				t.Fatal(err)
			}
			for _, c := range r.Commands {
				if core.CheckObjectName(c.Old) != nil || core.CheckObjectName(c.New) != nil || c.Ref == "" {
					t.Fatalf("the daemon is asked about %+v", c)
				}
			}
			return json.Marshal(deploy.Outcome{})
		})
		if err == nil {
			heard(t, &out)
		}
	})
}

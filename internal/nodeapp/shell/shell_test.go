package shell

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// texts are command lines of one command, which sh and gitd must read alike.
var texts = []string{
	"node server.js", "node $NODE_ARGS server.js", `node "$NODE_ARGS" server.js`, "node $UNSET server.js", `node "$UNSET" s`,
	"node $EMPTY '' \"\" s", "node ${PORT:-3000} ${UNSET:-3000} ${EMPTY:-3000} ${EMPTY-3000} ${UNSET-3000}",
	"node ${UNSET:+x} ${PORT:+--port=$PORT} ${EMPTY+set} ${EMPTY:+set}", `node "${UNSET:-a b}" ${UNSET:-a b} ${UNSET:-"a b"}`,
	`node x$NODE_ARGS"y z"$NODE_ARGS`, "node ${UNSET:=a} $UNSET", `node a\ b 'c d' "e\"f" g"h"'i'`, "node '$PORT' \\$PORT \"\\$PORT\"",
	"node ${SPACES}x$SPACES x", `node "$SPACES"`, "node ${UNSET:-${PORT:-1}} ${UNSET:-$NODE_ARGS}", "node --a={b,c} {x..y}",
	"node ${PORT:?no port} a#b # comment", "node \\\n  server.js", "node ${UNSET:-'a b' c}", `node "${UNSET:-$NODE_ARGS}"`, "node ${UNSET}",
	`node "a$"b $`, "node $PORT$PORT ${PORT}x ä=ö", "node ${UNSET:-\"\"} ${EMPTY:+} x", "node \"${PORT:+\"q q\"}\"",
}

var values = map[string]string{"PORT": "8080", "NODE_ARGS": "--max-old-space-size=100  --inspect", "EMPTY": "", "SPACES": " \t "}

// fields are a command line's words with values filled in, by gitd.
func fields(t *testing.T, text string) []string {
	t.Helper()
	n, _, err := Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	c := n.(*Call)
	all, err := core.Processes([]core.StartStep{{Set: nil, Words: c.Words, Own: c.Set}}, values, func(string) bool { return false })
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return all[0].Args
}

// TestWordsAsInShell compares with the host's sh, which npm runs scripts with.
func TestWordsAsInShell(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		cmd := exec.CommandContext(t.Context(), sh, "-c", `node() { printf 'node\0'; for w; do printf '%s\0' "$w"; done; }; `+text)
		cmd.Env = []string{"PATH=/usr/bin:/bin"}
		for name, value := range values {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", text, err, out)
		}
		want := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		if got := fields(t, text); !slices.Equal(got, want) {
			t.Errorf("%s: %q; sh has %q", text, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"a && b":        "a && b",
		"a; b":          "a ; b",
		"a\nb":          "a ; b",
		"a || b && c":   "a || b && c",
		"(cd x && a)":   "(cd x && a)",
		"A=1 a 2>&1":    "A=1 a",
		"export A=1; a": "export A=1 ; a",
	} {
		n, _, err := Parse(text)
		if err != nil || String(n) != want {
			t.Errorf("%s: %v, %v; want %s", text, n, err, want)
		}
	}
	for text, why := range map[string]string{
		"":                       "starts nothing",
		"# x":                    "starts nothing",
		"node a | tee x":         "its pipe",
		"node a &":               "its &",
		"! node a":               "its !",
		"node a > log":           "its redirection",
		"node a </dev/null":      "its redirection",
		"node *.js":              "its pattern",
		"node ~/x":               "its pattern",
		"node ~root/x":           "its pattern",
		"node $(cat x)":          "its substitutions",
		"node `cat x`":           "its substitutions",
		"node $((1+1))":          "its substitutions",
		"node $1":                "its variables",
		"node $@":                "its variables",
		"node $?":                "its variables",
		"node ${#A}":             "its variables",
		"node ${A%x}":            "its variables",
		"{ node a; }":            "needs a shell",
		"if true; then x; fi":    "needs a shell",
		"f() { node a; }":        "needs a shell",
		"node 'x":                "cannot be read",
		"node a\x00":             "NUL",
		strings.Repeat("a", 9e3): "is too long",
	} {
		_, _, err := Parse(text)
		var r *Refusal
		if !errors.As(err, &r) || !strings.Contains(r.Why, why) {
			t.Errorf("%.20s: %v; want %q", text, err, why)
		}
	}
}

// FuzzParse: whatever is read has only variables that can be in an environment, and can be filled in.
func FuzzParse(f *testing.F) {
	for _, t := range texts {
		f.Add(t)
	}
	f.Add("A=1 a; (export B=$A && b) || c 2>&1")
	f.Fuzz(func(t *testing.T, text string) {
		n, _, err := Parse(text)
		if err != nil {
			var r *Refusal
			if !errors.As(err, &r) || r.Why == "" {
				t.Fatal(err)
			}
			return
		}
		var calls func(Node)
		calls = func(n Node) {
			switch n := n.(type) {
			case *Pair:
				calls(n.X)
				calls(n.Y)
			case *Group:
				calls(n.X)
			case *Call:
				checkWords(t, n)
			}
		}
		calls(n)
	})
}

func checkWords(t *testing.T, c *Call) {
	t.Helper()
	if len(c.Words) != len(c.Sources) {
		t.Fatalf("%d words, %d sources", len(c.Words), len(c.Sources))
	}
	for _, w := range c.Words {
		for _, p := range w {
			if p.Var != "" && !core.IsVarName(p.Var) {
				t.Errorf("the variable %q", p.Var)
			}
		}
	}
	steps := []core.StartStep{{Words: append([]core.Word{core.Plain("x")}, c.Words...), Own: c.Set}}
	if _, err := core.Processes(steps, values, func(string) bool { return false }); err != nil && !strings.Contains(err.Error(), "variable") {
		t.Error(err)
	}
}

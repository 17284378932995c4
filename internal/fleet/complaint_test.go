package fleet

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// TestComplaint: the reason of a release that does not start is what the app itself said of it, as Node 22 prints it,
// and not "exit code 1" or the last line of a stack.
func TestComplaint(t *testing.T) {
	for name, tt := range map[string]struct{ stderr, want string }{
		"thrown": {"/app/node_modules/mongodb-connection-string-url/lib/index.js:86\n            throw new MongoParseError('Invalid scheme');\n" +
			"            ^\n\nMongoParseError: Invalid scheme, expected connection string to start with \"mongodb://\"\n" +
			"    at new ConnectionString (/app/node_modules/x.js:86:19)\n    at connect (/app/server.js:3:1) {\n  [Symbol(errorLabels)]: Set(0) {}\n}\n\nNode.js v22.14.0",
			"MongoParseError: Invalid scheme, expected connection string to start with \"mongodb://\""},
		"a module is missing": {"node:internal/modules/cjs/loader:1228\n  throw err;\n  ^\n\nError: Cannot find module 'express'\nRequire stack:\n- /app/server.js\n" +
			"    at Module._resolveFilename (node:internal/modules/cjs/loader:1225:15) {\n  code: 'MODULE_NOT_FOUND',\n  requireStack: [ '/app/server.js' ]\n}\n\nNode.js v22.14.0",
			"Error: Cannot find module 'express'"},
		"a code in brackets": {"Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'x' imported from /app/a.mjs\n    at y", "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'x' imported from /app/a.mjs"},
		"a cause": {"Error: cannot start\n    at main (/app/server.js:1:1) {\n  [cause]: Error: connect ECONNREFUSED 127.0.0.1:5432\n      at a\n}",
			"Error: cannot start"},
		"the last of two": {"Error: first try failed\n    at a\nTypeError: db is not a function\n    at b", "TypeError: db is not a function"},
		"a rejection": {"node:internal/process/promises:394\n      triggerUncaughtException(err, true /* fromPromise */);\n      ^\n\n[UnhandledPromiseRejection: This error originated either by throwing inside of an async function without a catch block, " +
			"or by rejecting a promise which was not handled with .catch(). The promise rejected with the reason \"nope\".] {\n  code: 'ERR_UNHANDLED_REJECTION'\n}",
			"a promise was rejected, and nobody handled it: \"nope\""},
		"a text": {"/app/server.js:1\nthrow 'no licence';\n^\nno licence\n(Use `node --trace-uncaught ...` to show where the exception was thrown)\n\nNode.js v22.14.0",
			"no licence"},
		"full heap":   {"<--- Last few GCs --->\n\n[3:0x1] 900 ms: Mark-Compact\n\nFATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n----- Native stack trace -----\n\n 1: 0xe13 node::OOMErrorHandler", "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"},
		"plain words": {"starting\nset DATABASE_URL first", "set DATABASE_URL first"},
		"nothing":     {"", ""},
		"long":        {"Error: " + strings.Repeat("ä", 200), "Error: " + strings.Repeat("ä", 71) + "…"},
	} {
		var tail []said
		for l := range strings.SplitSeq(tt.stderr, "\n") {
			tail = append(tail, said{"stderr", l})
		}
		tail = append(tail, said{"nodeos", "the app ended: exit code 1"}, said{"init", "Error: not the app's"})
		if got := complaint(tail); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	if got := complaint([]said{{"stderr", ""}, {"stdout", "no port was given"}}); got != "no port was given" {
		t.Errorf("what is said on stdout only: %q", got)
	}
}

func TestReadOnlyAdvice(t *testing.T) {
	for line, want := range map[string]string{
		"Error: EROFS: read-only file system, mkdir '/data'":     "/data cannot be written",
		"sqlite: unable to open: Read-only file system":          "a file outside of /app and /tmp cannot be written",
		"Error: EROFS: read-only file system, open '/a b; rm -r": "a file outside of /app and /tmp cannot be written",
		"Error: ENOENT: no such file or directory, open '/data'": "",
	} {
		got := readOnlyAdvice("shop", line)
		if !strings.HasPrefix(got, want) || (got == "") != (want == "") || want != "" && !strings.Contains(got, "`volumes:create shop data --mount /data`") {
			t.Errorf("%s: %q", line, got)
		}
	}
}

// FuzzComplaint: whatever an app prints, what is quoted of it is one short line that a terminal can show.
func FuzzComplaint(f *testing.F) {
	f.Add("Error: no database\n    at x", "[UnhandledPromiseRejection: The promise rejected with the reason \"\x1b[31m\".] {")
	f.Add("EROFS: read-only file system, open '/a\x00b'", "\xff\xfe")
	f.Fuzz(func(t *testing.T, first, second string) {
		i := newInstance(core.Release{App: "shop"}, core.FirstWeb, nobody{})
		for _, text := range []string{first, second} {
			i.watch(core.Event{Kind: core.EventLog, Stream: "stderr", Line: text})
		}
		got := complaint(i.tail)
		if len(got) > maxComplaint+len("…") || got != progress.Printable(got) || !utf8.ValidString(got) {
			t.Errorf("%q", got)
		}
		for _, l := range i.tail {
			if l.text != progress.Printable(l.text) {
				t.Errorf("%q is kept", l.text)
			}
		}
	})
}

type nobody struct{}

func (nobody) Append(string, core.Line) {}

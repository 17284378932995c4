package fleet

import (
	"regexp"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/progress"
)

// said is one line of a machine's output, printable.
type said struct{ stream, text string }

// ofApp reports whether the app itself said it.
func (s said) ofApp() bool { return s.stream == "stdout" || s.stream == "stderr" }

// maxComplaint bounds what an app said within a reason, in bytes: how it ended must fit beside it.
const maxComplaint = 150

var (
	// errorHead is the line that begins an error as Node prints it: "MongoParseError: Invalid scheme",
	// "[UnhandledPromiseRejection: …", "Error [ERR_X]: …". Lines of its stack, and of its causes, are indented.
	errorHead = regexp.MustCompile(`^\[?(?:Uncaught )?(?:FATAL ERROR|(?:[A-Za-z_$][\w$.]*)?(?:Error|Exception|Rejection))(?: \[\w+\])?: *(.*)`)
	// around are lines that Node prints around an error, and that say nothing of it.
	around = regexp.MustCompile(`^\s|^[~^]+$|^Node\.js v\d|^[{}\])]*[,;]?$|^\(Use .node --trace|^Require stack:|^- /|^node:internal/|^npm (?:error|ERR!)`)
)

// rejected is in what Node prints of a promise that was rejected with something that is no error. The group is what.
var rejected = regexp.MustCompile(`The promise rejected with the reason (.*?)\.?\]?(?: \{)?$`)

// complaint is what an app that has ended said of the reason, in one line; empty: it said nothing. It is the head of
// the last error that it printed, or else the last line on stderr, or else on stdout, that is not part of a stack.
func complaint(tail []said) string {
	for _, l := range slices.Backward(tail) {
		if m := rejected.FindStringSubmatch(l.text); m != nil && l.ofApp() {
			return bounded("a promise was rejected, and nobody handled it: " + m[1])
		}
		if l.ofApp() && errorHead.MatchString(l.text) {
			return bounded(strings.Trim(l.text, "[{ "))
		}
	}
	for _, stream := range []string{"stderr", "stdout"} {
		for _, l := range slices.Backward(tail) {
			if l.stream == stream && !around.MatchString(l.text) {
				return bounded(l.text)
			}
		}
	}
	return ""
}

func bounded(text string) string {
	text = progress.OneLine(strings.TrimSpace(text))
	if len(text) > maxComplaint {
		text = strings.ToValidUTF8(text[:maxComplaint], "") + "…"
	}
	return text
}

// lack says whether a candidate ended because it had too little of something.
type lack int

const (
	ofNothing lack = iota
	ofMemory       // its machine has too little
	ofTurns        // its machine was silent: one that thrashes may leave init no turn, but so may a bomb of processes
	ofHeap         // the heap of V8 is full; its limit follows the machine's memory, unless the app sets it
)

// String is what the app did, for people.
func (l lack) String() string {
	if l == ofTurns {
		return "the machine was silent, as one without memory is,"
	}
	return "the app ran out of memory"
}

var (
	heapFull = regexp.MustCompile(`heap out of memory`)
	// starving matches what else programs print when they get no more memory.
	starving = regexp.MustCompile(`Cannot allocate memory|\bENOMEM\b|Array buffer allocation failed|could not allocate memory`)
)

// deadlocked is in the panic of a kernel that has no process left that it could end to get memory.
const deadlocked = "deadlocked on memory"

// saysLack is what an app that has ended said that it had too little of.
func saysLack(tail []said) lack {
	for _, l := range slices.Backward(tail) {
		switch {
		case !l.ofApp():
		case heapFull.MatchString(l.text):
			return ofHeap
		case starving.MatchString(l.text):
			return ofMemory
		}
	}
	return ofNothing
}

// readOnly matches what Node prints when a file cannot be written because it is in the image. The group is the path.
var readOnly = regexp.MustCompile(`(?:EROFS: read-only file system|[Rr]ead-only file system)(?:, \w+ '([^']*)')?`)

// readOnlyAdvice says what to do about a line that complains of a read-only file system; empty: the line does not.
func readOnlyAdvice(app, line string) string {
	m := readOnly.FindStringSubmatch(line)
	if m == nil {
		return ""
	}
	path := m[1]
	if path == "" || strings.ContainsAny(path, " \t") {
		path = "a file outside of /app and /tmp"
	}
	return progress.Shorten(path) + " cannot be written: the image is read-only. Files that must last belong in a volume: `volumes:create " +
		app + " data --mount /data`; others may be in /tmp"
}

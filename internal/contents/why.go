package contents

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"

	"github.com/nodeos-dev/gitd/internal/core"
)

// explained is how many files Explain names.
const explained = 20

// Explain says in a line for each file how is differs from was, and why, as far as that can be seen. It stops naming
// files after a screen of them, and goes on counting.
func (r Reader) Explain(ctx context.Context, was, is core.Manifest) (lines []string, files int, err error) {
	leave, err := r.Enter(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer leave()
	is.Base = was.Base // it is made from the host, and not from the commit
	for c, err := range r.Changes(ctx, was, is) {
		if err != nil {
			return nil, 0, err
		}
		if files++; files > explained {
			continue
		}
		why, err := c.why()
		if err != nil {
			return nil, 0, err
		}
		lines = append(lines, fmt.Sprintf("%s %s: %s", c.Sign(), c.Path(), why))
	}
	return lines, files, nil
}

// why says what is different.
func (c Change) why() (string, error) {
	a, b := c.Was, c.Is
	switch {
	case c.Sign() == "+":
		return "the release does not have it", nil
	case c.Sign() == "-":
		return "only the release has it", nil
	case a.Mode != b.Mode:
		return fmt.Sprintf("%s, and now %s", a.Mode, b.Mode), nil
	case a.Link != b.Link:
		return fmt.Sprintf("it leads to %q, and now to %q", a.Link, b.Link), nil
	}
	return firstDifference(a, b)
}

// firstDifference compares the contents of two files, piece by piece, and says what the first difference looks like.
func firstDifference(a, b File) (string, error) {
	ra, err := a.content()
	if err != nil {
		return "", err
	}
	rb, err := b.content()
	if err != nil {
		return "", err
	}
	const piece = 64 << 10
	var beforeA, beforeB []byte
	for at := int64(0); ; at += piece {
		pa, errA := io.ReadAll(io.LimitReader(ra, piece))
		pb, errB := io.ReadAll(io.LimitReader(rb, piece))
		if errA != nil || errB != nil {
			return "", fmt.Errorf("compare %q: %w", a.Path, firstOf(errA, errB))
		}
		if !bytes.Equal(pa, pb) {
			i := common(pa, pb)
			n := len(beforeA)
			return fmt.Sprintf("other bytes from %d on%s", at+int64(i), guess(append(beforeA, pa...), append(beforeB, pb...), n+i)), nil
		}
		if len(pa) == 0 {
			return "its size", nil
		}
		beforeA, beforeB = tail(pa), tail(pb)
	}
}

// around is how much of a difference's surroundings is looked at.
const around = 48 // bytes

func tail(b []byte) []byte { return bytes.Clone(b[max(0, len(b)-around):]) }

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func common(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// What makes builds differ, as it looks in a file. The first that fits counts.
var causes = []struct {
	name string
	form *regexp.Regexp
}{
	{"a time", regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d[0-9:.Z+-]*|\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? [A-Z0-9][A-Za-z0-9 :]{10,24}`)},
	{"a time", regexp.MustCompile(`\b1[6-9]\d{8}(?:\d{3}(?:\d{3})?)?\b`)},
	{"a path of a folder that each build has anew", regexp.MustCompile(`/[A-Za-z0-9_./-]*(?:tmp|build)[A-Za-z0-9_./-]+`)},
	{"a number by chance", regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)},
	{"a number by chance, or a digest of what differs elsewhere", regexp.MustCompile(`\b[0-9a-fA-F]{16,}\b`)},
	{"a number by chance", regexp.MustCompile(`\b0?\.\d{12,}\b`)},
}

// guess says what the difference at i looks like: in both files the same kind of text stands there, with other values.
func guess(a, b []byte, i int) string {
	if bytes.HasPrefix(a, []byte{0x1f, 0x8b}) && i >= 4 && i < 8 {
		return ", the time in the head of a gzip archive"
	}
	for _, c := range causes {
		was, is := spanning(c.form, a, i), spanning(c.form, b, i)
		if was != "" && is != "" && was != is {
			return fmt.Sprintf(": %s, %q and now %q", c.name, was, is)
		}
	}
	return ""
}

// spanning is the match of form in which the ith byte is, or that ends there.
func spanning(form *regexp.Regexp, b []byte, i int) string {
	from := max(0, i-around)
	near := b[from:min(len(b), i+around)]
	for _, m := range form.FindAllIndex(near, -1) {
		if m[0] <= i-from && i-from <= m[1] {
			return string(near[m[0]:m[1]])
		}
	}
	return ""
}

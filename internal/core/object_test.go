package core

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckObjectName(t *testing.T) {
	const sha1 = "96991be0123456789abcdef0123456789abcdef0"
	for _, name := range []string{sha1, strings.Repeat("0", 40)} {
		if err := CheckObjectName(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{
		"", "96991be", sha1 + "0", sha1[1:], strings.ToUpper(sha1), sha1[1:] + "g", sha1 + "\n", "--upload-pack=x",
		strings.Repeat("A", 64), strings.Repeat("0", 63),
	} {
		var rej *Rejection
		if err := CheckObjectName(name); err == nil || errors.As(err, &rej) {
			t.Errorf("%q: %v", name, err)
		}
	}
	// One of a SHA-256 repository is told apart, with what to do.
	var rej *Rejection
	err := CheckObjectName(strings.Repeat("5e", 32))
	if !errors.As(err, &rej) || !strings.Contains(rej.Reason, "SHA-256") || !strings.Contains(rej.Hint, "--object-format=sha1") {
		t.Errorf("a SHA-256 name: %v", err)
	}
}

package repo

import (
	"bytes"
	"strings"
	"testing"
)

var (
	objectA = strings.Repeat("a", 40)
	objectB = strings.Repeat("b", 40)
)

func TestUnseen(t *testing.T) {
	none := zeros
	tests := map[string]struct{ in, want string }{
		"branch and tags": {
			pkt(objectA+" refs/heads/main\x00report-status\n") + pkt(objectB+" refs/tags/v1\n") + "0000" + "rest",
			pkt(objectA+" refs/heads/main\x00report-status\n") + pkt(none+" refs/tags/v1\n") + "0000" + "rest",
		},
		// go-git called a list damaged whose first ref, with the capabilities, is at zeros.
		"a tag comes first": {
			pkt(objectB+" refs/tags/v1\x00report-status\n") + pkt(objectA+" refs/tags/v2\n") + "0000",
			pkt(objectB+" .have\x00report-status\n") + pkt(none+" refs/tags/v1\n") + pkt(none+" refs/tags/v2\n") + "0000",
		},
		"what looks like a list, behind it": {
			"0000" + pkt(objectB+" refs/tags/v1\n") + "0000",
			"0000" + pkt(objectB+" refs/tags/v1\n") + "0000",
		},
		"version 1":      {pkt("version 1\n") + pkt(objectB+" refs/tags/v1\n"), pkt("version 1\n") + pkt(none+" refs/tags/v1\n")},
		"a branch tags":  {pkt(objectA + " refs/heads/refs/tags/v1\n"), pkt(objectA + " refs/heads/refs/tags/v1\n")},
		"not a pkt-line": {"hello " + objectB + " refs/tags/v1", "hello " + objectB + " refs/tags/v1"},
	}
	for name, tt := range tests {
		for _, size := range []int{1, 3, 7, 1000} { // of the parts in which it comes
			var out bytes.Buffer
			u := &unseen{w: &out}
			for part := []byte(tt.in); len(part) > 0; part = part[min(size, len(part)):] {
				if _, err := u.Write(part[:min(size, len(part))]); err != nil {
					t.Fatal(err)
				}
			}
			if out.String() != tt.want {
				t.Errorf("%s, %d bytes at a time: %q, want %q", name, size, out.String(), tt.want)
			}
		}
	}
}

// FuzzUnseen: where the writes are cut changes nothing, and without tags nothing changes at all.
func FuzzUnseen(f *testing.F) {
	f.Add([]byte(pkt(objectB+" refs/tags/v1\n")+"0000"), 5)
	f.Add([]byte(pkt(objectB+" refs/tags/v1\x00quiet\n")+pkt(objectA+" refs/tags/v2\n")+"0000"), 60)
	f.Add([]byte("0003"), 1)
	f.Fuzz(func(t *testing.T, in []byte, cut int) {
		cut = max(0, min(cut, len(in)))
		got, whole := unseenOf(in[:cut], in[cut:]), unseenOf(in)
		if !bytes.Equal(got, whole) {
			t.Fatalf("%q, cut at %d, became %q, and not %q", in, cut, got, whole)
		}
		if !bytes.Contains(in, []byte(" refs/tags/")) && !bytes.Equal(got, in) {
			t.Fatalf("%q became %q", in, got)
		}
	})
}

// unseenOf returns what became of the parts, and what is still held back.
func unseenOf(parts ...[]byte) []byte {
	var out bytes.Buffer
	u := &unseen{w: &out}
	for _, p := range parts {
		u.Write(p) //nolint:errcheck // a buffer takes everything
	}
	return append(out.Bytes(), u.line...)
}

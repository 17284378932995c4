package progress

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestShorten(t *testing.T) {
	short := strings.Repeat("x", 80)
	if got := Shorten(short); got != short {
		t.Errorf("80 bytes became %q", got)
	}
	if got := Shorten("begin" + strings.Repeat("x", 1000) + "end"); len(got) > 90 || !strings.HasPrefix(got, "begin") || !strings.HasSuffix(got, "end") {
		t.Errorf("1,008 bytes became %q", got)
	}
}

// TestShortenCutsAtLetters: the reject line of a file called "äää…" named it with \xc3 in the middle.
func TestShortenCutsAtLetters(t *testing.T) {
	for _, letter := range []string{"ä", "日", "😀"} {
		for shift := range 4 {
			long := strings.Repeat("x", shift) + strings.Repeat(letter, 100) + strings.Repeat("y", shift)
			if got := Shorten(long); !utf8.ValidString(got) || len(got) > 90 || len(got) < 70 {
				t.Errorf("%q became %q", long, got)
			}
		}
	}
	if got := Shorten(strings.Repeat("\xa4", 1000)); len(got) > 90 {
		t.Errorf("what is no UTF-8 became %d bytes", len(got))
	}
}

func TestLastLine(t *testing.T) {
	for out, want := range map[string]string{"": "", "one": "one", "one\ntwo\n": "two", "one\n\n two \n\n": " two"} {
		if got := LastLine([]byte(out)); got != want {
			t.Errorf("%q: %q, want %q", out, got, want)
		}
	}
}

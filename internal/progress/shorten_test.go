package progress

import (
	"strings"
	"testing"
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

func TestLastLine(t *testing.T) {
	for out, want := range map[string]string{"": "", "one": "one", "one\ntwo\n": "two", "one\n\n two \n\n": " two"} {
		if got := LastLine([]byte(out)); got != want {
			t.Errorf("%q: %q, want %q", out, got, want)
		}
	}
}

package progress

import "testing"

func TestPrintable(t *testing.T) {
	tests := map[string]string{
		"plain":                       "plain",
		"\x1b[32mgreen\x1b[0m":        "green",
		"a\x1b[2J\x1b[1;1Hb":          "ab",
		"\x1b]0;title\x07x":           "]0;titlex",
		"tab\there":                   "tab\there",
		"bell\a back\b cr\r nul\x00.": "bell back cr nul.",
		"\x1b[":                       "",
		"höhe → ok":                   "höhe → ok",
		"bad \xff utf8":               "bad  utf8",
	}
	for in, want := range tests {
		if got := Printable(in); got != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
}

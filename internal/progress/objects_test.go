package progress

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// TestObjects: each line of a Report is one object, however it is cut into writes, and so is what is no Report's.
func TestObjects(t *testing.T) {
	var text bytes.Buffer
	r := NewReport(&text)
	r.Step("Packing")
	r.Detail("two\nlines")
	r.Warn("no \"lockfile\" <here>")
	r.Done("v4 is live")
	r.Pass("a line of npm\n")
	want := []string{"step Packing", "detail two", "detail lines", `warning no "lockfile" <here>`, "done v4 is live", "output a line of npm"}
	for _, size := range []int{1, 7, 1000} {
		var out bytes.Buffer
		o := NewObjects(&out)
		for rest := text.Bytes(); len(rest) > 0; {
			n := min(size, len(rest))
			if _, err := o.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		var got []string
		for l := range strings.Lines(out.String()) {
			var one line
			if err := json.Unmarshal([]byte(l), &one); err != nil || one.Time.IsZero() {
				t.Fatalf("%q: %v", l, err)
			}
			got = append(got, one.Type+" "+one.Text)
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("in writes of %d bytes: %q", size, got)
		}
	}
}

package access

import (
	"path/filepath"
	"testing"
)

// BenchmarkLine measures what the line of a request costs the goroutine that has answered it, until the line is queued.
func BenchmarkLine(b *testing.B) {
	f, err := OpenFile(filepath.Join(b.TempDir(), "access.log"), false, func(error) {})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	r := request()
	for b.Loop() {
		f.Note(r)
	}
}

package ledger

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkImages is what each collection reads, and one follows each deployment: of an app with few and with many
// releases, of which collections have removed all images but five. Both take as long.
func BenchmarkImages(b *testing.B) {
	for _, releases := range []int{10, 10_000} {
		b.Run(fmt.Sprint(releases), func(b *testing.B) {
			l := withReleases(b, releases)
			for b.Loop() {
				all, err := l.Images(b.Context())
				if err != nil || len(all) != 5 {
					b.Fatalf("%d images, %v", len(all), err)
				}
			}
		})
	}
}

// withReleases is a ledger of one app with so many releases that have retired.
func withReleases(b *testing.B, n int) *Ledger {
	b.Helper()
	l, err := Open(b.Context(), filepath.Join(b.TempDir(), "gitd.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := l.Close(); err != nil {
			b.Error(err)
		}
	})
	if _, err := l.CreateApp(b.Context(), "shop"); err != nil {
		b.Fatal(err)
	}
	// 10,000 pushes would take the benchmark's time: one statement makes what they leave.
	_, err = l.writer.ExecContext(b.Context(), `WITH RECURSIVE n(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n WHERE v < ?)
		INSERT INTO releases (`+releaseColumns+`) SELECT 'shop', v, printf('%040x', v), 'a change', 'ada', '', 'push', 0, 'retired', '',
		'{"base":"b1","app":{"digest":"d' || v || '","size":1}}', '[]', ?, ? FROM n`, n, time.Now().UnixNano(), time.Now().UnixNano())
	if err != nil {
		b.Fatal(err)
	}
	all, err := l.Images(b.Context())
	if err != nil || len(all) != n {
		b.Fatalf("%d images, %v", len(all), err)
	}
	if err := l.ForgetImages(b.Context(), all[5:]); err != nil {
		b.Fatal(err)
	}
	return l
}

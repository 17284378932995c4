package contents_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// TestExplain: what makes builds differ is named.
func TestExplain(t *testing.T) {
	s := newShop(t)
	far := strings.Repeat("x", 65_530)
	a := core.Manifest{Base: "b1", App: s.layer(map[string]string{
		"date.js": "built at 2026-11-27T10:00:00.000Z", "now.js": "id=1796000000123;", "path.js": `"/tmp/build-x1/a.js"`,
		"uuid": "f81d4fae-7dec-41d0-a765-00a0c91e6bf6", "far.js": far + " 2026-01-01 10:00:00", "gone": "1",
		"other": "abc", "longer": "abc", "link": "-> a", "gzip": "\x1f\x8b\x08\x00\x01\x02\x03\x04rest", "same": "same",
	})}
	b := core.Manifest{Base: "b2", App: s.layer(map[string]string{
		"date.js": "built at 2026-11-28T10:00:00.000Z", "now.js": "id=1796000999123;", "path.js": `"/tmp/build-y2/a.js"`,
		"uuid": "f81d4fae-7dec-41d0-a765-00a0c91e6bf7", "far.js": far + " 2026-01-02 10:00:00", "new": "1",
		"other": "abd", "longer": "abcd", "link": "-> b", "gzip": "\x1f\x8b\x08\x00\x01\x02\x03\x05rest", "same": "same",
	})}
	lines, files, err := s.reader().Explain(t.Context(), a, b)
	check(t, err)
	want := []string{
		`~ /app/date.js: other bytes from 18 on: a time, "2026-11-27T10:00:00.000Z" and now "2026-11-28T10:00:00.000Z"`,
		`~ /app/far.js: other bytes from 65540 on: a time, "2026-01-01 10:00:00" and now "2026-01-02 10:00:00"`,
		`- /app/gone: only the release has it`,
		`~ /app/gzip: other bytes from 7 on, the time in the head of a gzip archive`,
		`~ /app/link: it leads to "a", and now to "b"`,
		`~ /app/longer: other bytes from 3 on`,
		`+ /app/new: the release does not have it`,
		`~ /app/now.js: other bytes from 10 on: a time, "1796000000123" and now "1796000999123"`,
		`~ /app/other: other bytes from 2 on`,
		`~ /app/path.js: other bytes from 12 on: a path of a folder that each build has anew, "/tmp/build-x1/a.js" and now "/tmp/build-y2/a.js"`,
		`~ /app/uuid: other bytes from 35 on: a number by chance, "f81d4fae-7dec-41d0-a765-00a0c91e6bf6" and now "f81d4fae-7dec-41d0-a765-00a0c91e6bf7"`,
	}
	if files != len(want) || !slices.Equal(lines, want) {
		t.Errorf("%d files:\n%s\nwant\n%s", files, strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

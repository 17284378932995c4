package schedule

import (
	"testing"
	"time"
)

func TestNext(t *testing.T) {
	at := func(text string) time.Time {
		when, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	for _, tt := range []struct{ text, zone, after, want string }{
		{"*/5 * * * *", "", "2026-11-27T10:04:59Z", "2026-11-27T10:05:00Z"},
		{"*/5 * * * *", "", "2026-11-27T10:05:00Z", "2026-11-27T10:10:00Z"},
		{"@daily", "", "2026-11-27T10:05:00Z", "2026-11-28T00:00:00Z"},
		{"0 3 * * *", "Europe/Berlin", "2026-11-27T10:05:00Z", "2026-11-28T02:00:00Z"},
		{"0 3 * * *", "Europe/Berlin", "2026-07-27T10:05:00Z", "2026-07-28T01:00:00Z"},
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T10:00:00Z", "2026-03-30T00:30:00Z"}, // not on the 29th
		{"0 0 29 2 *", "", "2026-11-27T10:05:00Z", "2028-02-29T00:00:00Z"},
		{"0 12 * * MON-FRI", "", "2026-11-28T00:00:00Z", "2026-11-30T12:00:00Z"},
	} {
		got, err := Next(tt.text, tt.zone, at(tt.after))
		if err != nil || !got.Equal(at(tt.want)) {
			t.Errorf("%q in %q after %s: %s, %v; want %s", tt.text, tt.zone, tt.after, got, err, tt.want)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct{ text, zone string }{
		{"", ""}, {"* * * *", ""}, {"* * * * * *", ""}, {"60 * * * *", ""}, {"@every 1s", ""}, {"@reboot", ""}, {"0 0 30 2 *", ""},
		{"* * * * *", "Nowhere"}, {"* * * * *", "Local"}, {"* * * * *", "../etc"}, {"TZ=UTC", ""}, {"CRON_TZ=UTC", ""}, {"every day", ""},
	} {
		if err := Check(tt.text, tt.zone); err == nil {
			t.Errorf("%q in %q was taken", tt.text, tt.zone)
		}
	}
}

func TestSplit(t *testing.T) {
	for text, want := range map[string][2]string{
		"0 3 * * *": {"0 3 * * *", ""}, "TZ=Asia/Tokyo 0 3 * * *": {"0 3 * * *", "Asia/Tokyo"},
		"CRON_TZ=UTC  @daily": {"@daily", "UTC"}, "TZ=UTC": {"", "UTC"},
	} {
		if s, zone := Split(text); s != want[0] || zone != want[1] {
			t.Errorf("%q: %q, %q", text, s, zone)
		}
	}
}

// FuzzNext: no schedule of a repository ends gitd.
func FuzzNext(f *testing.F) {
	f.Add("*/5 * * * *", "")
	f.Add("TZ=", "UTC")
	f.Add("@every 1s", "Europe/Berlin")
	f.Add("1-5/2,7 0-23 ? JAN sun", "")
	after := time.Unix(1764237900, 0)
	f.Fuzz(func(t *testing.T, text, zone string) {
		next, err := Next(text, zone, after)
		if err == nil && !next.IsZero() && !next.After(after) {
			t.Errorf("%q in %q: %s is not after %s", text, zone, next, after)
		}
	})
}

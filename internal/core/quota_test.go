package core

import (
	"strings"
	"testing"
)

func TestParseQuota(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "default",
		"memory=2G,machines=4":                  "memory=2G,machines=4",
		"disk=1536M,cpus=0":                     "cpus=0,disk=1536M",
		"apps=3":                                "apps=3",
		"memory=unlimited":                      "memory=unlimited",
		"memory=default":                        "default",
		"memory":                                "", // each is refused
		"memory=2":                              "",
		"memory=-1":                             "",
		"memory=9999999G":                       "",
		"machines=-1":                           "",
		"machines=4.5":                          "",
		"machines=99999999999":                  "",
		"mem=2G":                                "",
		"memory=2G,":                            "",
		"memory=2G, machines=4":                 "",
		"machines=4\nmachines=9":                "",
		"machines=" + strings.Repeat("9", 1000): "",
	} {
		q, err := ParseQuota(text, LimitsOfUser)
		if (err == nil) != (want != "") || err == nil && q.String() != want {
			t.Errorf("%.40q is %q, %v; want %q", text, q, err, want)
		}
		if err != nil && len(err.Error()) > 150 {
			t.Errorf("%.40q: %v", text, err)
		}
	}
	if _, err := ParseQuota("apps=3", LimitsOfApp); err == nil {
		t.Error("an app makes no apps")
	}
}

// FuzzParseQuota: what is accepted is read again as the same.
func FuzzParseQuota(f *testing.F) {
	f.Add("memory=2G,machines=4,apps=unlimited")
	f.Add("disk=default,cpus=007")
	f.Fuzz(func(t *testing.T, text string) {
		q, err := ParseQuota(text, LimitsOfUser)
		if err != nil {
			return
		}
		for l, n := range q {
			if n < Unlimited || n > mostLimited {
				t.Errorf("%q: %s is %d", text, l, n)
			}
		}
		if len(q) == 0 {
			return
		}
		if again, err := ParseQuota(q.String(), LimitsOfUser); err != nil || again.String() != q.String() {
			t.Errorf("%q is %q, and then %q, %v", text, q, again, err)
		}
	})
}

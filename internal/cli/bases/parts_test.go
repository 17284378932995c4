package bases

import (
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// TestOutdated: what is newer is found, by who has it, and what is not known is said.
func TestOutdated(t *testing.T) {
	const minimal = "minimal kernel 6.1.172-nodeos (d8944b5ba0d06079)"
	stock := func(v string) string { return "stock kernel 6.1.0-56-cloud-amd64 " + v }
	part := func(name, version string) core.BasePart { return core.BasePart{Name: name, Version: version} }
	unknown := func(name string) core.BasePart { return core.BasePart{Name: name, Unknown: "no network"} }
	news := func(host, archive []core.BasePart, node ...core.BasePart) core.BaseNews {
		return core.BaseNews{Host: host, Archive: archive, Node: node}
	}
	list := func(p ...core.BasePart) []core.BasePart { return p }
	node22 := part("node 22", "22.23.3")
	for _, tt := range []struct {
		name string
		has  map[string]string
		news core.BaseNews
		want string
	}{
		{"all new", map[string]string{"node": "22.23.3", "libc6": "2"}, news(list(part("libc6", "2")), list(part("libc6", "2")), node22), ""},
		{"Node", map[string]string{"node": "22.9.0"}, news(nil, nil, part("node 24", "24.1.0"), node22), "node 22.23.3 (npm)"},
		{"another line of Node is no news", map[string]string{"node": "22.23.3"}, news(nil, nil, part("node 24", "24.1.0"), node22), ""},
		{"a line that is gone", map[string]string{"node": "21.1.0"}, news(nil, nil, node22), "node: not known: the npm registry has no Node 21"},
		{"no registry", map[string]string{"node": "22.1.0"}, news(nil, nil, unknown("node")), "node: not known: no network"},
		{"the host is newer", map[string]string{"node": "22.23.3", "libc6": "1"}, news(list(part("libc6", "2")), list(part("libc6", "3")), node22), "libc6 2 (host)"},
		{"Debian is newer", map[string]string{"node": "22.23.3", "libc6": "2"}, news(list(part("libc6", "2")), list(part("libc6", "3")), node22), "libc6 3 (debian)"},
		{"no archive", map[string]string{"node": "22.23.3", "libc6": "2"}, news(list(part("libc6", "2")), list(unknown("libc6")), node22), "libc6: not known: no network"},
		{"no dpkg, and an archive", map[string]string{"node": "22.23.3", "libc6": "2"}, news(list(unknown("libc6")), list(part("libc6", "3")), node22), "libc6 3 (debian)"},
		{"a part that the base does not have", map[string]string{"node": "22.23.3"}, news(list(part("libc6", "2")), nil, node22), ""},
		{"minimal kernel", map[string]string{"node": "22.23.3", "kernel": minimal}, news(list(part("kernel", minimal)), list(part("kernel", "6.1.172-1")), node22), ""},
		{"a newer source", map[string]string{"node": "22.23.3", "kernel": minimal}, news(list(part("kernel", minimal)), list(part("kernel", "6.1.192-2")), node22), "kernel 6.1.192-2 (debian)"},
		{"another minimal kernel is compiled", map[string]string{"node": "22.23.3", "kernel": minimal},
			news(list(part("kernel", "minimal kernel 6.1.192-nodeos (aa)")), list(part("kernel", "6.1.192-2")), node22), "kernel 6.1.192 (host)"},
		{"stock kernel", map[string]string{"node": "22.23.3", "kernel": stock("6.1.192-2")},
			news(list(part("kernel", stock("6.1.192-2"))), list(part("kernel", "6.1.192-2")), node22), ""},
		{"a newer stock kernel", map[string]string{"node": "22.23.3", "kernel": stock("6.1.192-1")},
			news(list(part("kernel", stock("6.1.192-1"))), list(part("kernel", "6.1.192-2")), node22), "kernel 6.1.192-2 (debian)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range compare(tt.has, tt.news) {
				got = append(got, f.String())
			}
			if strings.Join(got, "; ") != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

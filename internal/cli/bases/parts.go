package bases

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/nodeos-dev/gitd/internal/contents"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// What the parts of a base are called beside the packages of Debian.
const (
	kernelPart = "kernel"
	nodePart   = "node"
	libc       = "libc6"
	authority  = "ca-certificates"
)

// parts are what a base is made of, by the names of the news.
func parts(node string, b contents.BaseInfo) map[string]string {
	all := map[string]string{nodePart: node, kernelPart: b.Kernel}
	for _, f := range b.Files {
		if f.Package != "" {
			all[f.Package] = f.Version
		}
	}
	return all
}

// finding is a part of a base that is not the newest, or of which that is not known.
type finding struct {
	Part    string `json:"part"`
	Has     string `json:"has"`
	Newer   string `json:"newer,omitempty"`
	Where   string `json:"where,omitempty"`   // who has the newer one: "host", "debian", "npm"
	Unknown string `json:"unknown,omitempty"` // why it is not known whether there is a newer one
}

func (f finding) String() string {
	if f.Unknown != "" {
		return f.Part + ": not known: " + f.Unknown
	}
	return fmt.Sprintf("%s %s (%s)", f.Part, short(f.Newer), f.Where)
}

// compare finds what is newer than what a base has. What the host has is told before what its archive has: the next
// update brings the first, and the second after the host's own update.
func compare(has map[string]string, news core.BaseNews) []finding {
	var found []finding
	archive := map[string]core.BasePart{}
	for _, p := range news.Archive {
		archive[p.Name] = p
	}
	for _, host := range news.Host {
		mine, ok := has[host.Name]
		if !ok {
			continue
		}
		f := finding{Part: host.Name, Has: mine}
		there := archive[host.Name]
		switch {
		case host.Version != "" && host.Version != mine:
			f.Newer, f.Where = host.Version, "host"
		case there.Version != "" && !same(host.Name, mine, there.Version):
			f.Newer, f.Where = there.Version, "debian"
		case host.Unknown != "":
			f.Unknown = host.Unknown
		case there.Unknown != "":
			f.Unknown = there.Unknown
		default:
			continue
		}
		found = append(found, f)
	}
	return append(found, compareNode(has[nodePart], news.Node)...)
}

// compareNode looks only at the line of a Node: another line is another decision.
func compareNode(has string, lines []core.BasePart) []finding {
	line, _, _ := strings.Cut(has, ".")
	for _, p := range lines {
		switch {
		case p.Unknown != "":
			return []finding{{Part: nodePart, Has: has, Unknown: p.Unknown}}
		case p.Name != nodePart+" "+line:
		case p.Version == has:
			return nil
		default:
			return []finding{{Part: nodePart, Has: has, Newer: p.Version, Where: "npm"}}
		}
	}
	return []finding{{Part: nodePart, Has: has, Unknown: "the npm registry has no Node " + line}}
}

// same reports whether a base has the version that the archive has. Of a minimal kernel, Linux's own number is known,
// and not the one that Debian adds.
func same(part, mine, archive string) bool {
	if part == kernelPart {
		if strings.HasPrefix(mine, "minimal kernel ") {
			return number(mine) == number(archive)
		}
		return strings.HasSuffix(mine, " "+archive)
	}
	return mine == archive
}

var numbers = regexp.MustCompile(`[0-9]+\.[0-9]+(\.[0-9]+)?`)

// number is Linux's own version in the name of a kernel, or of a package with one.
func number(text string) string { return numbers.FindString(text) }

// short is a version as it fits into a table.
func short(version string) string {
	version = strings.TrimSuffix(version, ")")
	for _, prefix := range []string{"minimal kernel ", "stock kernel "} {
		if rest, ok := strings.CutPrefix(version, prefix); ok {
			if i := strings.LastIndexByte(rest, ' '); i >= 0 && prefix == "stock kernel " {
				rest = rest[i+1:]
			}
			name, _, _ := strings.Cut(rest, " ")
			return progress.Printable(strings.TrimSuffix(name, "-nodeos")) + map[bool]string{true: " (stock)"}[prefix == "stock kernel "]
		}
	}
	return progress.Printable(version)
}

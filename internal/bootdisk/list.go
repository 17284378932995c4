package bootdisk

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/nodeos-dev/gitd/internal/base"
	"github.com/nodeos-dev/gitd/internal/core"
)

// List says what is on a disk.
type List struct {
	App    string   `json:"app"`
	Commit string   `json:"commit,omitempty"` // absent: the files were not those of a commit
	Node   string   `json:"node"`
	Kernel string   `json:"kernel"`
	Base   string   `json:"base"`
	Start  []string `json:"start"` // its commands, as their author wrote them
	Port   int      `json:"port"`
	Config []string `json:"config,omitempty"` // the names of the variables whose values are on the disk
	Format string   `json:"format"`
	Size   int64    `json:"size"` // of the disk, in bytes
	Parts  []Part   `json:"parts"`
}

// ListOf is the list of the disk d of rel with the config vars.
func ListOf(state core.StateDir, rel core.Release, vars map[string]string, d *Disk, format string, parts []Part) (List, error) {
	contents, err := base.Read(state, rel.Manifest.Base)
	if err != nil {
		return List{}, err
	}
	l := List{
		App: rel.App, Commit: rel.Commit, Node: contents.Node, Kernel: contents.Kernel, Base: rel.Manifest.Base,
		Port: rel.Port(), Config: slices.Sorted(maps.Keys(vars)), Format: format, Size: d.Size(), Parts: parts,
	}
	for _, s := range rel.Manifest.Run {
		l.Start = append(l.Start, s.String())
	}
	return l, nil
}

// JSON is the list as it is kept beside the disk.
func (l List) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(l, "", "  ")
	return append(text, '\n'), err
}

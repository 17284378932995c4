package builder

import (
	"cmp"
	"errors"
	"io/fs"
	"strings"

	"github.com/nodeos-dev/gitd/internal/nodeapp"
)

// asBefore makes the plan of a commit that is built again ask for what its image was built with: the newest Node and
// npm are others by now, and would give other bytes.
func (j *job) asBefore() {
	m := j.src.Again
	if m == nil {
		return
	}
	j.plan.Node = nodeapp.NodeWish{Pin: cmp.Or(m.Made.Node, m.Node), From: "its image"}
	name, version, ok := strings.Cut(m.Made.Tool, " ")
	if ok && name == j.plan.Manager.Tool.Command() && !j.plan.Manager.Exact() {
		j.plan.Manager.Range, j.plan.Manager.From = version, "its image"
	}
}

// configPrint is a digest of the config that the build sees, under the key of the app's store. Nobody can try values
// against it. A build that changes nothing in that store finds another digest if the key is not there any more.
func (j *job) configPrint() (string, error) {
	if len(j.src.Vars) == 0 {
		return "", nil
	}
	s := j.store
	if j.src.Again != nil {
		s = j.b.storeOf(j.src.App)
		if _, err := s.readSecret(); errors.Is(err, fs.ErrNotExist) {
			return "unknown", nil
		}
	}
	return s.keyWith("config", j.src.Vars)
}

package nodeapp

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
)

// FollowWords finds out what words run that a person typed, by the rules of start commands: `npm run x` is the script.
// The programs of packages are found in the machine, in node_modules/.bin. dir is the app's folder, as for MakePlan.
func FollowWords(repo fs.FS, dir string, words []string) ([]core.StartStep, error) {
	p, err := MakePlan(repo, dir)
	if err == nil && p.Folder.Lone {
		repo, err = fs.Sub(repo, p.Folder.Dir)
	}
	if err != nil {
		return nil, err
	}
	var quoted []string
	for _, w := range words {
		quoted = append(quoted, "'"+strings.ReplaceAll(w, "'", `'\''`)+"'")
	}
	finder := finderOf(repo, p)
	finder.MayMake = true // what is in the image is not known here
	finder.Whole, finder.Only = true, true
	found, err := finder.Text("run", strings.Join(quoted, " "))
	if err != nil {
		return nil, ofWords(err)
	}
	var steps []core.StartStep
	for _, l := range found.Leaves() {
		steps = append(steps, core.StartStep{Name: l.Text, Set: l.Set, Words: l.Words, Own: l.Own, Dir: l.Dir, Next: l.Next})
	}
	return steps, nil
}

// ofWords says of a refusal that it is one of words that were typed and not of a start command.
func ofWords(err error) error {
	r, ok := errors.AsType[*core.Rejection](err)
	if !ok {
		return err
	}
	return &core.Rejection{
		Reason: strings.Replace(r.Reason, "the start command runs", "the command runs", 1), Err: r.Err,
		Hint: "a machine runs node, programs of the app's packages, scripts (`npm run x`) and the processes of the Procfile: `run APP -- node script.js`",
	}
}

package label

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Found is what the folders of a state folder tell.
type Found struct {
	Apps    []core.AppLabel // by name
	Volumes []core.Volume   // by id
	Bare    []string        // repositories without a good label: of Apps, those of which only name and branch are known
	Loose   []string        // files of volumes without a good label
}

// isBare reports whether something was pushed to the app, and no good label says what.
func (f Found) isBare(l core.AppLabel) bool {
	return slices.ContainsFunc(f.Bare, func(dir string) bool { return filepath.Base(dir) == l.App.Name+".git" })
}

// Read reads all labels below state.
func Read(state core.StateDir) (Found, error) {
	var f Found
	repos, err := filepath.Glob(state.Repo("*"))
	if err != nil {
		return f, err
	}
	for _, dir := range repos {
		f.addRepo(state, dir)
	}
	volumes, err := filepath.Glob(state.Volume("*"))
	for _, path := range volumes {
		f.addVolume(state, path)
	}
	return f, err
}

// addRepo takes a repository in. Without a good label it counts if something was pushed to it.
func (f *Found) addRepo(state core.StateDir, dir string) {
	name := strings.TrimSuffix(filepath.Base(dir), ".git")
	if text, err := os.ReadFile(core.LabelFiles(state).App(name)); err == nil {
		if l, err := ParseApp(name, text); err == nil {
			f.Apps = append(f.Apps, l)
			return
		}
	}
	branch, ok := branchOf(dir)
	if !ok || core.CheckName(name) != nil {
		return
	}
	info, err := os.Stat(dir)
	if err != nil {
		return
	}
	f.Bare = append(f.Bare, dir)
	f.Apps = append(f.Apps, core.AppLabel{App: core.App{Name: name, Branch: branch, Created: info.ModTime()}})
}

// branchOf is the branch that HEAD names, if there is a branch at all.
func branchOf(dir string) (branch string, ok bool) {
	head, err := os.ReadFile(filepath.Join(dir, "HEAD"))
	if err != nil {
		return "", false
	}
	loose, err := os.ReadDir(filepath.Join(dir, "refs", "heads"))
	_, packed := os.Stat(filepath.Join(dir, "packed-refs"))
	if (err != nil || len(loose) == 0) && packed != nil {
		return "", false
	}
	branch = strings.TrimSpace(strings.TrimPrefix(string(head), "ref: refs/heads/"))
	if branch != "main" && branch != "master" {
		branch = "" // the next push says which
	}
	return branch, true
}

func (f *Found) addVolume(state core.StateDir, path string) {
	id := strings.TrimSuffix(filepath.Base(path), ".ext4")
	text, err := os.ReadFile(core.LabelFiles(state).Volume(id))
	if err == nil {
		var v core.Volume
		if v, err = ParseVolume(id, text); err == nil {
			f.Volumes = append(f.Volumes, v)
			return
		}
	}
	f.Loose = append(f.Loose, path)
}

// ParseApp reads the label of the app with this name.
func ParseApp(name string, text []byte) (core.AppLabel, error) {
	var l core.AppLabel
	if err := json.Unmarshal(text, &l); err != nil {
		return core.AppLabel{}, err
	}
	return l, l.Check(name)
}

// ParseVolume reads the label of the volume with this id.
func ParseVolume(id string, text []byte) (core.Volume, error) {
	var v core.Volume
	if err := json.Unmarshal(text, &v); err != nil {
		return core.Volume{}, err
	}
	return v, v.CheckLabel(id)
}

// Holdings is what stands in a state folder that only a ledger can explain.
type Holdings struct{ Repos, Volumes, Layers, Machines int }

// Look counts what is below state. A repository to which nothing was pushed does not count.
func Look(state core.StateDir) (Holdings, error) {
	f, err := Read(state)
	if err != nil {
		return Holdings{}, err
	}
	h := Holdings{Repos: len(f.Apps), Volumes: len(f.Volumes) + len(f.Loose)}
	layers, err := filepath.Glob(state.Layer("*"))
	if err != nil {
		return h, err
	}
	h.Layers = len(layers)
	machines, err := os.ReadDir(state.Machines())
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	h.Machines = len(machines)
	return h, err
}

// Any reports whether there is anything.
func (h Holdings) Any() bool { return h != Holdings{} }

// String lists what there is: "1 repository, 2 volumes".
func (h Holdings) String() string {
	var parts []string
	for _, p := range []struct {
		n         int
		one, many string
	}{
		{h.Repos, "repository", "repositories"}, {h.Volumes, "volume", "volumes"},
		{h.Layers, "layer", "layers"}, {h.Machines, "machine", "machines"},
	} {
		switch p.n {
		case 0:
		case 1:
			parts = append(parts, "1 "+p.one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.many))
		}
	}
	return strings.Join(parts, ", ")
}

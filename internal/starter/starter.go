// Package starter is the apps that a person can begin with: it lists those that gitd carries in itself, and writes one
// into a folder.
//
// It owns the way from a starter's name to files in a new folder. It does not own the files, which are in
// templates/apps, nor the git repository that the folder becomes.
package starter

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/nodeos-dev/gitd/templates"
)

// apps is where the starters are in templates.FS, one folder each.
const apps = "apps"

// Starter is an app to begin with.
type Starter struct {
	Name  string
	About string // one sentence, the first of its README
}

// List returns all starters, sorted by name.
func List() ([]Starter, error) {
	entries, err := templates.FS.ReadDir(apps)
	if err != nil {
		return nil, err
	}
	all := make([]Starter, 0, len(entries))
	for _, e := range entries {
		readme, err := templates.FS.ReadFile(path.Join(apps, e.Name(), "README.md"))
		if err != nil {
			return nil, err
		}
		all = append(all, Starter{e.Name(), firstSentence(string(readme))})
	}
	return all, nil
}

// firstSentence is the first sentence of the text below a README's title.
func firstSentence(readme string) string {
	_, text, _ := strings.Cut(readme, "\n\n")
	paragraph, _, _ := strings.Cut(text, "\n\n")
	sentence, _, _ := strings.Cut(strings.ReplaceAll(paragraph, "\n", " ")+" ", ". ")
	return strings.TrimSuffix(strings.TrimSpace(sentence), ".")
}

// Files are the files of a starter.
func Files(name string) (fs.FS, error) { return fs.Sub(templates.FS, path.Join(apps, name)) }

// Write writes a starter into dir, which it makes. A folder that has something in it is left alone: nobody's file is
// replaced.
func Write(name, dir string) error {
	files, err := Files(name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		if isFile(dir) {
			return fmt.Errorf("%s is a file: name a new folder", dir)
		}
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if there, err := fs.ReadDir(root.FS(), "."); err != nil {
		return err
	} else if len(there) > 0 {
		return fmt.Errorf("%s is not empty (%s is in it): name a new folder", dir, there[0].Name())
	}
	return fs.WalkDir(files, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		return writeOne(root, files, name, e)
	})
}

// writeOne writes a file or a folder. Embedded files have no permissions of their own (0444); these get those that an
// editor would give.
func writeOne(root *os.Root, files fs.FS, name string, e fs.DirEntry) error {
	to := filepath.FromSlash(name)
	if e.IsDir() {
		return root.Mkdir(to, 0o755)
	}
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return err
	}
	return root.WriteFile(to, text, 0o644)
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.IsDir()
}

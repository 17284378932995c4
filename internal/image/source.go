package image

import "github.com/nodeos-dev/gitd/internal/core"

// Source is the commit to build.
type Source struct {
	App    string
	Repo   string // path of the bare repository
	Commit string // full object name of a commit

	Quarantine string // with the objects of a push, in the form of a repository; empty: all are in Repo
	Hold       *Hold  // gets the names of all files that the build makes or finds

	Dir  string            // the app's folder, if somebody has chosen one; "": what package.json says
	Vars map[string]string // the config that the build sees
	// Planned is told which processes the image will have and what they want, before anything is installed. Its error
	// ends the build. nil: nobody is.
	Planned func(m core.Manifest) error

	Fresh bool // use nothing that earlier builds have kept

	// Again is an image that was built of this commit: it is built once more, with the same Node and package manager,
	// as Fresh, and without a change to what is kept for the app's next build. nil: this is a build of its own.
	Again *core.Manifest
}

package image

// Source is the commit to build.
type Source struct {
	App    string
	Repo   string // path of the bare repository
	Commit string // full object name of a commit
	Hold   *Hold  // gets the names of all files that the build makes or finds

	Vars  map[string]string // the config that the build sees
	Fresh bool              // use nothing that earlier builds have kept
}

package server

import "github.com/nodeos-dev/gitd/internal/progress"

// The client of Git LFS runs these here before a push or a fetch: first its protocol over SSH alone, then the one that
// would send it to an HTTP server. Neither is served: an app is built from what is in its commits, and a second store
// of objects would have to be limited, collected and restored beside git's.
const (
	lfsTransfer     = "git-lfs-transfer"
	lfsAuthenticate = "git-lfs-authenticate"
)

// refuseLFS says what to type. git-lfs prints it and ends the push.
func refuseLFS(r *progress.Report) {
	r.Warn("Git LFS is not served here: `git lfs migrate export --everything --include='*'` puts the files themselves " +
		"into the commits; then push again")
}

package core

import "time"

// Trigger says what asked for a release.
type Trigger string

// What can make a release.
const (
	ByPush     Trigger = "push"
	ByTag      Trigger = "tag"
	ByRollback Trigger = "rollback"
	ByConfig   Trigger = "config"
	ByRestart  Trigger = "restart"
	ByRebuild  Trigger = "rebuild"
	ByBase     Trigger = "base update" // the image of before, on another base
)

// NewCode reports whether a release was asked for to run other code, in the same config and on the same base.
func (t Trigger) NewCode() bool { return t == ByPush || t == ByTag || t == ByRollback }

// Release is one version of an app: a commit with its image and settings.
type Release struct {
	App      string
	Version  int    // 1, 2, …; unique in an app
	Commit   string // full object name
	Subject  string // first line of the commit's message
	Pusher   string // who asked for it: a key's owner, "host" or "gitd"
	Key      string // fingerprint of the key; empty: no key was used
	Trigger  Trigger
	ImageOf  int  // the version whose image it boots; 0: it was built for this one
	Pinned   bool // its image is kept, however many releases follow
	State    State
	Reason   string   // why it failed; empty otherwise
	Manifest Manifest // empty until built
	Steps    []Step   // where the time went, in order
	Created  time.Time
	Finished time.Time // zero while the deployment runs
}

// Step is one measured part of a deployment.
type Step struct {
	Name string        `json:"name"`
	Took time.Duration `json:"took_ns"`
}

// Manifest is everything needed to boot a release again without a build. It
// names files by digest and holds no secret: config is not part of it.
type Manifest struct {
	Base      string            `json:"base"`               // id of the NodeOS base: a folder below bases/
	Node      string            `json:"node"`               // exact version of Node in that base
	Deps      Layer             `json:"deps"`               // node_modules; zero when the app has none
	Debian    Layer             `json:"debian,omitzero"`    // Debian's packages; zero when the app asks for none
	Packages  []Package         `json:"packages,omitempty"` // what is in Debian, sorted by name
	App       Layer             `json:"app"`                // source and build output
	Run       []StartStep       `json:"run,omitempty"`      // what starts web: the first, and those that it leads to
	Types     []ProcessType     `json:"types,omitempty"`    // the processes other than web, by name
	Cron      []CronJob         `json:"cron,omitempty"`     // what runs on a schedule
	Env       map[string]string `json:"env,omitempty"`
	Health    Health            `json:"health"`
	Resources Resources         `json:"resources"`
	Port      int               `json:"port,omitempty"` // where the app listens in its machine; 0: the default
	Expose    Expose            `json:"expose,omitzero"`
	Guess     Guess             `json:"guess,omitzero"`
	Dir       string            `json:"dir,omitempty"` // the app's folder that was chosen on the server; "": none was

	Made Made `json:"made,omitzero"`

	// Start is what images have that were made before there was Run: one argv, with variables as ${NAME}.
	Start []string `json:"start,omitempty"`
}

// Made is what a build was made with beside its commit and Node, for whoever builds it again. It is no part of the
// image.
type Made struct {
	Tool   string `json:"tool"`             // the package manager and its version: "npm 10.9.9"
	Config string `json:"config,omitempty"` // a keyed digest of the config that the build saw; "": it saw none
	Node   string `json:"node,omitempty"`   // the Node that it was built with; "": that of the image
}

// Empty reports whether nothing has been built yet.
func (m Manifest) Empty() bool { return m.Base == "" }

// Layer is one content-addressed, read-only EROFS image below layers/.
type Layer struct {
	Digest string `json:"digest,omitempty"` // lower-case hex SHA-256 of the file
	Size   int64  `json:"size,omitempty"`   // bytes
}

// Layers returns the layers of m, the app's own first.
func (m Manifest) Layers() []Layer {
	layers := []Layer{m.App}
	for _, l := range []Layer{m.Deps, m.Debian} {
		if l.Digest != "" {
			layers = append(layers, l)
		}
	}
	return layers
}

// Size adds up the layers, in bytes.
func (m Manifest) Size() (sum int64) {
	for _, l := range m.Layers() {
		sum += l.Size
	}
	return sum
}

// Package is a package of Debian, as it is in a layer.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  string `json:"sha256,omitempty"` // of the .deb; "": its files are those of the host, as the base's are
}

// Health is how a candidate shows that it can serve.
type Health struct {
	Path     string        `json:"path"`                  // requested with GET; default "/"
	Timeout  time.Duration `json:"timeout_ns"`            // from start to first good answer; 0: the default
	Interval time.Duration `json:"interval_ns,omitempty"` // between two probes; 0: 300 ms
	Attempts int           `json:"attempts,omitempty"`    // probes until it has failed; 0: as many as fit in Timeout
	Probe    time.Duration `json:"probe_ns,omitempty"`    // for one answer; 0: 10 s
	Delay    time.Duration `json:"delay_ns,omitempty"`    // from listening to the first probe
	Off      bool          `json:"off,omitempty"`         // that the app listens is enough: nothing is requested
}

// Resources is what a machine gets. Zero fields mean the daemon's default.
type Resources struct {
	MemoryMiB int `json:"memory_mib,omitempty"`
	CPUs      int `json:"cpus,omitempty"`
}

// Guess is how much memory an app is expected to need, because of a package that it depends on.
type Guess struct {
	MemoryMiB int    `json:"memory_mib"` // 0: there is no guess
	Package   string `json:"package"`    // the package's name
}

// Files returns the names of the files that a release with this manifest needs: layers by their digests, the base by
// its id.
func (m Manifest) Files() []string {
	names := []string{m.Base}
	for _, l := range m.Layers() {
		names = append(names, l.Digest)
	}
	return names
}

package backup

import (
	"regexp"
	"strconv"

	"github.com/nodeos-dev/gitd/internal/core"
)

// What a file of a backup may be called. Whatever is something else is refused: a word that this gitd does not know may
// be one that somebody meant.
var (
	bundleFile  = regexp.MustCompile(`^repos/([^/]+)\.bundle$`)
	shallowLine = regexp.MustCompile(`^repos/([^/]+)\.shallow$`)
	extentFile  = regexp.MustCompile(`^volumes/([a-z0-9-]{1,80})/([0-9a-f]{16})$`)
	layerFile   = regexp.MustCompile(`^layers/[0-9a-f]{64}\.erofs$`)
	baseFile    = regexp.MustCompile(`^bases/[0-9a-f]{1,64}/[a-z0-9][a-z0-9._-]{0,40}$`)
	sshFile     = regexp.MustCompile(`^secrets/ssh/[a-z0-9][a-z0-9._-]{0,40}$`)
	certFile    = regexp.MustCompile(`^secrets/certificates(/[A-Za-z0-9_][A-Za-z0-9._@+-]*)+$`)
)

func isSecret(name string) bool { return sshFile.MatchString(name) || certFile.MatchString(name) }
func isBase(name string) bool   { return baseFile.MatchString(name) }

// appOf is the app whose name a pattern finds in name; "": none.
func appOf(pattern *regexp.Regexp, name string) string {
	m := pattern.FindStringSubmatch(name)
	if m == nil || core.CheckName(m[1]) != nil {
		return ""
	}
	return m[1]
}

// extentOf is the part of a volume that is called name.
func extentOf(name string) (id string, at int64, ok bool) {
	m := extentFile.FindStringSubmatch(name)
	if m == nil {
		return "", 0, false
	}
	at, err := strconv.ParseInt(m[2], 16, 64)
	return m[1], at, err == nil
}

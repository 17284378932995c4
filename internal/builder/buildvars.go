package builder

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/nodeos-dev/gitd/internal/progress"
)

// vars are what a step sees of the app's config, and of its commit. The commit is only for steps in the app's own
// folder: what npm ci makes elsewhere is kept for other commits. Config wins over the commit's second name, and the
// step's own variables win over config.
func (j *job) vars(s step) []string {
	var env []string
	if s.app == j.shop.path("app") {
		env = append(env, "NODEOS_COMMIT="+j.src.Commit, "SOURCE_VERSION="+j.src.Commit)
	}
	for _, name := range slices.Sorted(maps.Keys(j.src.Vars)) {
		env = append(env, name+"="+j.src.Vars[name])
	}
	return env
}

// keyWith makes the name of an install depend on the config that its build saw: npm ci may write a value into
// node_modules, and a value with which it went wrong must not be met again. Names of folders are no secrets and end in
// backups, so the values go in under a key: nobody can try values against it.
func (s store) keyWith(key string, vars map[string]string) (string, error) {
	if len(vars) == 0 {
		return key, nil
	}
	secret, err := s.secret()
	if err != nil {
		return "", err
	}
	h := hmac.New(sha256.New, secret)
	fmt.Fprintf(h, "%s %d ", key, len(vars))
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		fmt.Fprintf(h, "%s %d %s ", name, len(vars[name]), vars[name])
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// secret is the key of an app's store. It is made when it is first needed, and goes with the store. No build sees it.
func (s store) secret() ([]byte, error) {
	secret, err := s.readSecret()
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	secret = make([]byte, sha256.Size)
	if _, err := rand.Read(secret); err != nil {
		return nil, err
	}
	return secret, renameio.WriteFile(s.secretPath(), secret, 0o600)
}

func (s store) secretPath() string { return filepath.Join(s.dir, "key") }

// readSecret returns fs.ErrNotExist if there is none, or none that is whole.
func (s store) readSecret() ([]byte, error) {
	secret, err := os.ReadFile(s.secretPath())
	if err == nil && len(secret) != sha256.Size {
		err = fs.ErrNotExist
	}
	return secret, err
}

// leastMasked is the shortest value that is masked, in bytes. Shorter ones ("1", "true", "production") would be found
// everywhere.
const leastMasked = 8

// mask replaces values of config in what a build prints. It is against accidents: a build can print a value in a form
// that nobody recognises.
type mask struct {
	replacer *strings.Replacer
	values   []string
}

func newMask(vars map[string]string) mask {
	var m mask
	var pairs [][2]string
	for name, value := range vars {
		for line := range strings.Lines(value) { // a build's output is masked line by line
			line = strings.TrimSpace(line)
			for _, form := range []string{line, progress.Printable(line), url.QueryEscape(line), url.PathEscape(line)} {
				if len(form) >= leastMasked {
					pairs = append(pairs, [2]string{form, "[" + name + "]"})
				}
			}
		}
	}
	// The longest comes first: one value may be the beginning of another.
	slices.SortFunc(pairs, func(a, b [2]string) int { return len(b[0]) - len(a[0]) })
	var flat []string
	for _, p := range pairs {
		m.values = append(m.values, p[0])
		flat = append(flat, p[:]...)
	}
	m.replacer = strings.NewReplacer(flat...)
	return m
}

func (m mask) line(text string) string { return m.replacer.Replace(text) }

// cut is line for a text whose end was cut off, perhaps in the middle of a value.
func (m mask) cut(text string) string {
	text = m.line(text)
	for _, value := range m.values {
		for n := len(value) - 1; n > 0; n-- {
			if rest, found := strings.CutSuffix(text, value[:n]); found {
				text = rest
				break
			}
		}
	}
	return text
}

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
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"
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

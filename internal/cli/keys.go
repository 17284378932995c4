package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"gitd/internal/core"
	"gitd/internal/people"
)

// maxKey bounds a public key on standard input, in bytes: the longest RSA
// key that anyone uses (16,384 bits) has below 4 KiB.
const maxKey = 16 << 10

func (t *tree) keys() *cobra.Command {
	cmd := &cobra.Command{Use: "keys", Short: "list your keys, or everyone's for an administrator", Example: "keys\nkeys --json", Args: args(cobra.NoArgs)}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		list, err := t.keyRows(cmd.Context())
		if err != nil {
			return err
		}
		rows := [][]string{{"NAME", "ROLE", "FINGERPRINT", "ADDED", "EXPIRES", "LAST USED", "FROM"}}
		for _, k := range list {
			rows = append(rows, []string{k.Name, k.Role, k.Fingerprint, ago(k.Added), ago(k.Expires), ago(k.LastUsed), orDash(k.LastFrom)})
		}
		return t.list(*asJSON, list, rows)
	}
	return cmd
}

type keyRow struct {
	Name        string    `json:"name"`
	Role        string    `json:"role"` // "admin", "user", or "deploy on shop" for a deploy key
	App         string    `json:"app,omitempty"`
	Fingerprint string    `json:"fingerprint"`
	Added       time.Time `json:"added"`
	Expires     time.Time `json:"expires,omitzero"`
	LastUsed    time.Time `json:"last_used,omitzero"`
	LastFrom    string    `json:"last_from,omitempty"`
}

// keyRows are the keys that the caller may know of.
func (t *tree) keyRows(ctx context.Context) ([]keyRow, error) {
	list, err := t.People.Keys(ctx)
	if err != nil {
		return nil, err
	}
	users, err := t.People.Users(ctx)
	if err != nil {
		return nil, err
	}
	admins := map[string]bool{}
	for _, u := range users {
		admins[u.Name] = u.Admin
	}
	rows := []keyRow{}
	for _, k := range list {
		if t.mayKnow(k) {
			rows = append(rows, keyRow{k.Name, keyRole(k, admins[k.Name]), k.Limit.App, k.Fingerprint, k.Added, k.Expires, k.LastUsed, k.LastFrom})
		}
	}
	return rows, nil
}

// mayKnow: an administrator knows of every key, others of their own, and a
// deploy key of itself.
func (t *tree) mayKnow(k people.Key) bool {
	return t.Admin || k.Name == t.Name && (t.Limit == core.Limit{} || k.Fingerprint == t.Key)
}

func keyRole(k people.Key, admin bool) string {
	switch {
	case k.Limit != core.Limit{}:
		return k.Limit.Role.String() + " on " + k.Limit.App
	case admin:
		return "admin"
	default:
		return "user"
	}
}

// ParseKey reads one public key in authorized_keys form for name. Options
// and comments are dropped: they have no meaning here.
func ParseKey(name, text string) (people.Key, error) {
	if err := people.CheckUserName(name); err != nil {
		return people.Key{}, err
	}
	if strings.TrimSpace(text) == "" {
		return people.Key{}, errors.New("no public key on standard input; add `< ~/.ssh/id_ed25519.pub`")
	}
	if strings.Contains(text, "PRIVATE KEY") {
		return people.Key{}, errors.New("this is a private key; keep it to yourself and send the file that ends in .pub")
	}
	key, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		return people.Key{}, fmt.Errorf("not a public key in OpenSSH form: %w", err)
	}
	if len(strings.TrimSpace(string(rest))) > 0 {
		return people.Key{}, errors.New("more than one key; add them one at a time")
	}
	return NewKey(name, key)
}

// NewKey is a key for name, if keys of its kind may log in.
func NewKey(name string, key ssh.PublicKey) (people.Key, error) {
	if err := AcceptableKey(key); err != nil {
		return people.Key{}, err
	}
	return people.Key{
		Name: name, Fingerprint: ssh.FingerprintSHA256(key), Added: time.Now(),
		Public: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))),
	}, nil
}

// readKey reads the public key on standard input.
func (t *tree) readKey(name string) (people.Key, error) {
	text, err := io.ReadAll(io.LimitReader(t.In, maxKey))
	if err != nil {
		return people.Key{}, err
	}
	return ParseKey(name, string(text))
}

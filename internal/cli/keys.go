package cli

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"gitd/internal/deploy"
)

// maxKey bounds a public key on standard input, in bytes: the longest RSA
// key that anyone uses (16,384 bits) has below 4 KiB.
const maxKey = 16 << 10

var keyName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

func (t *tree) keys() *cobra.Command {
	cmd := &cobra.Command{Use: "keys", Short: "list the keys that may log in", Args: args(cobra.NoArgs)}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := t.admin(); err != nil {
			return err
		}
		list, err := t.Keys.Keys(cmd.Context())
		if err != nil {
			return err
		}
		rows := [][]string{{"NAME", "ROLE", "FINGERPRINT", "ADDED", "LAST USED"}}
		for _, k := range list {
			rows = append(rows, []string{k.Name, role(k), k.Fingerprint, ago(k.Added), ago(k.LastUsed)})
		}
		return t.list(*asJSON, keyRows(list), rows)
	}
	return cmd
}

type keyRow struct {
	Name        string    `json:"name"`
	Role        string    `json:"role"`
	Fingerprint string    `json:"fingerprint"`
	Added       time.Time `json:"added"`
	LastUsed    time.Time `json:"last_used,omitzero"`
}

func keyRows(list []deploy.Key) []keyRow {
	rows := []keyRow{}
	for _, k := range list {
		rows = append(rows, keyRow{k.Name, role(k), k.Fingerprint, k.Added, k.LastUsed})
	}
	return rows
}

func (t *tree) keysAdd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "keys:add NAME [--admin] < key.pub", DisableFlagsInUseLine: true,
		Short: "let a public key (on standard input) log in", Args: args(cobra.ExactArgs(1)),
	}
	admin := cmd.Flags().Bool("admin", false, "as an administrator")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if err := t.admin(); err != nil {
			return err
		}
		text, err := io.ReadAll(io.LimitReader(t.In, maxKey))
		if err != nil {
			return err
		}
		k, err := ParseKey(a[0], string(text))
		if err != nil {
			return err
		}
		k.Admin = *admin
		if err := t.Keys.AddKey(cmd.Context(), k); err != nil {
			return err
		}
		if err := t.Ledger.Record(cmd.Context(), deploy.Entry{Time: k.Added, Actor: t.Name, Action: "key.add",
			Detail: fmt.Sprintf("%s %s %s", k.Name, role(k), k.Fingerprint)}); err != nil {
			return err
		}
		_, err = fmt.Fprintf(t.Out, "%s (%s) may log in with %s\n", k.Name, role(k), k.Fingerprint)
		return err
	}
	return cmd
}

// ParseKey reads one public key in authorized_keys form for name. Options
// and comments are dropped: they have no meaning here.
func ParseKey(name, text string) (deploy.Key, error) {
	if !keyName.MatchString(name) {
		return deploy.Key{}, fmt.Errorf("invalid name %q: use letters, digits and . _ @ -", name)
	}
	if strings.TrimSpace(text) == "" {
		return deploy.Key{}, errors.New("no public key on standard input; add `< ~/.ssh/id_ed25519.pub`")
	}
	if strings.Contains(text, "PRIVATE KEY") {
		return deploy.Key{}, errors.New("this is a private key; keep it to yourself and send the file that ends in .pub")
	}
	key, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		return deploy.Key{}, fmt.Errorf("not a public key in OpenSSH form: %w", err)
	}
	if len(strings.TrimSpace(string(rest))) > 0 {
		return deploy.Key{}, errors.New("more than one key; add them one at a time")
	}
	if err := AcceptableKey(key); err != nil {
		return deploy.Key{}, err
	}
	return deploy.Key{
		Name: name, Fingerprint: ssh.FingerprintSHA256(key), Added: time.Now(),
		Public: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))),
	}, nil
}

func role(k deploy.Key) string {
	if k.Admin {
		return "admin"
	}
	return "deploy"
}

package trust

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	gossh "golang.org/x/crypto/ssh"

	"github.com/nodeos-dev/gitd/internal/people"
)

// ParseAuthorities reads the public keys of CAs, one a line, in the form of authorized_keys:
//
//	cert-authority,principals="ada,sam" ssh-ed25519 AAAA… people
//
// principals= says for whom the certificates of the CA are good, and must be there: a CA that signs for the machines of
// an organisation, too, has principals such as "admin" that are no users of gitd, and may be called the same.
func ParseAuthorities(text []byte) ([]Authority, error) {
	var list []Authority
	err := eachLine(text, func(line []byte) error {
		key, _, options, _, err := gossh.ParseAuthorizedKey(line)
		if err != nil {
			return errors.New("no public key; write the CA's .pub file there")
		}
		a := Authority{Key: key}
		if err := people.AcceptableKey(key); err != nil {
			return err
		}
		if err := a.options(options); err != nil {
			return err
		}
		if len(a.Principals) == 0 {
			return errors.New("it does not say for whom its certificates are good: write " +
				`cert-authority,principals="ada,sam" before the key, with names of users, or principals="*" for all users`)
		}
		list = append(list, a)
		return nil
	})
	if err == nil && len(list) == 0 {
		err = errors.New("it holds no public key; write the CA's .pub file there")
	}
	return list, err
}

// eachLine calls do with each line that is neither empty nor a comment.
func eachLine(text []byte, do func(line []byte) error) error {
	n := 0
	for line := range bytes.Lines(text) {
		n++
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == '#' {
			continue
		}
		if err := do(line); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return nil
}

// options reads what stands before the key. What is not known is refused: it may be a limit.
func (a *Authority) options(all []string) error {
	for _, o := range all {
		name, value, _ := strings.Cut(o, "=")
		value = strings.Trim(value, `"`)
		var err error
		switch strings.ToLower(name) {
		case "cert-authority":
		case "principals":
			a.Principals, err = ParsePatterns(value)
		case "from":
			a.from.From, err = people.ParseSources(value)
		default:
			err = fmt.Errorf("the option %.40q before the key means nothing here: cert-authority, principals= and from= do", name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Patterns are names as sshd lists them: "ada,deploy-*,!deploy-old".
type Patterns []string

// patternLetters are those of users' names, and what makes a pattern of them.
const patternLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@-*?"

// ParsePatterns reads a list of patterns.
func ParsePatterns(list string) (Patterns, error) {
	var all Patterns
	for p := range strings.SplitSeq(list, ",") {
		p = strings.TrimSpace(p)
		if bare := strings.TrimPrefix(p, "!"); bare == "" || strings.Trim(bare, patternLetters) != "" {
			return nil, fmt.Errorf(`principals= names %.60q, which is no user: write names, such as "ada,sam", or "*"`, p)
		}
		all = append(all, p)
	}
	if !slices.ContainsFunc(all, func(p string) bool { return p[0] != '!' }) {
		return nil, errors.New("principals= names only whom the CA may not sign for: add those for whom it may")
	}
	return all, nil
}

// Allow reports whether a pattern is of name, and none excludes it.
func (p Patterns) Allow(name string) bool {
	allowed := false
	for _, pattern := range p {
		bare, negated := strings.CutPrefix(pattern, "!")
		switch match, err := path.Match(bare, name); {
		case err != nil || match && negated:
			return false
		case match:
			allowed = true
		}
	}
	return allowed
}

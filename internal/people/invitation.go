package people

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Invitation lets one person in, once. The code itself is stored nowhere.
type Invitation struct {
	Hash    string // HashCode of the code
	Name    string // who is to come; empty: a claim, by the first person of all
	Admin   bool
	App     string // with Role; empty: no role yet
	Role    core.Role
	By      string // who invited
	Created time.Time
	Expires time.Time
}

// Claim reports whether the invitation is that of the first person.
func (i Invitation) Claim() bool { return i.Name == "" }

// Rights are what it gives, in a word or two.
func (i Invitation) Rights() string {
	switch {
	case i.Admin:
		return "administrator"
	case i.App != "":
		return i.Role.String() + " on " + i.App
	default:
		return "no role yet"
	}
}

// codes is Crockford's alphabet: no i, l, o or u, so that nothing can be
// taken for something else when it is read aloud or typed.
var codes = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// codeBytes is the size of a code: 80 bits.
const codeBytes = 10

// NewCode makes a code that nobody can guess: four groups of four.
func NewCode() string {
	b := make([]byte, codeBytes)
	rand.Read(b) // it never fails: see crypto/rand
	s := codes.EncodeToString(b)
	return s[:4] + "-" + s[4:8] + "-" + s[8:12] + "-" + s[12:]
}

// HashCode is what is stored of a code. A code is random and long, so a plain
// hash keeps it: there is nothing to try but all of them. Case, hyphens and
// the letters that look like digits do not count.
func HashCode(code string) string {
	plain := strings.NewReplacer("-", "", "o", "0", "i", "1", "l", "1").Replace(strings.ToLower(code))
	sum := sha256.Sum256([]byte(plain))
	return hex.EncodeToString(sum[:])
}

// FindInvitation returns the one that code opens. Its time does not depend on
// how much of a code is right.
func FindInvitation(open []Invitation, code string) (Invitation, bool) {
	hash := []byte(HashCode(code))
	found, ok := Invitation{}, false
	for _, i := range open {
		if subtle.ConstantTimeCompare(hash, []byte(i.Hash)) == 1 {
			found, ok = i, true
		}
	}
	return found, ok
}

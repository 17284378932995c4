package guard

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/nodeos-dev/gitd/internal/core"
)

// From one address, so many passwords may be wrong at once, and then one each guessEvery.
const (
	maxGuesses = 10
	guessEvery = 10 * time.Second
)

// cost is bcrypt's: about 60 ms of a processor for one look at a password.
const cost = bcrypt.DefaultCost

// Hash is a password as it is kept. What cannot be one is a *core.Rejection.
func Hash(password string) (string, error) {
	switch {
	case len(password) < 8:
		return "", core.Reject("that is too short for a password", "8 characters or more, on standard input: openssl rand -base64 12")
	case len(password) > 72:
		return "", core.Reject("that is too long for a password", "72 bytes at most, which is all that bcrypt looks at")
	}
	h, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	return string(h), err
}

// Hashing bounds how many passwords are looked at side by side, of all apps: each takes a processor for a while, and
// anybody can send one.
type Hashing struct {
	places  chan struct{}
	waiting atomic.Int64
	cost    int           // bcrypt's, of names that do not exist
	key     [32]byte      // of what is remembered of passwords that were right
	nobody  func() []byte // the hash that is looked at for names that do not exist
}

// maxWaiting is how many passwords may wait to be looked at.
const maxWaiting = 64

// NewHashing takes half of the processors at most.
func NewHashing() *Hashing {
	h := &Hashing{places: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), cost: cost}
	rand.Read(h.key[:])
	h.nobody = sync.OnceValue(func() []byte {
		hash, _ := bcrypt.GenerateFromPassword(h.key[:], h.cost) // it cannot fail: the key is short enough
		return hash
	})
	return h
}

var errBusy = errors.New("too many passwords wait")

// right reports whether hash is that of password.
func (h *Hashing) right(ctx context.Context, hash []byte, password string) (bool, error) {
	defer h.waiting.Add(-1)
	if h.waiting.Add(1) > maxWaiting {
		return false, errBusy
	}
	select {
	case h.places <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { <-h.places }()
	return len(password) <= 72 && bcrypt.CompareHashAndPassword(hash, []byte(password)) == nil, nil
}

// mark is what is remembered of a password: nobody can try passwords on it without the key, which is in memory alone.
func (h *Hashing) mark(password string) []byte {
	m := hmac.New(sha256.New, h.key[:])
	m.Write([]byte(password))
	return m.Sum(nil)
}

// user is somebody with a password.
type user struct {
	hash string
	good atomic.Pointer[[]byte] // the mark of the password that was right
}

// login says whose name and password r has. A password that was right before costs no hash. A name that does not exist
// takes as long as a password that is wrong. An address that has guessed too often is not heard, whatever it says: if
// what is right were let through, it could go on guessing.
func (g *Guard) login(h *held, source netip.Addr, now time.Time, r *http.Request) (name string, no *Refusal) {
	name, password, ok := r.BasicAuth()
	if !ok {
		return "", refuseLogin
	}
	if wait := g.guesses.take(source, now); wait > 0 {
		return "", refuseGuesses(wait)
	}
	u, known := h.users[name]
	hash := g.hashing.nobody()
	if known {
		if good := u.good.Load(); good != nil && hmac.Equal(*good, g.hashing.mark(password)) {
			g.guesses.giveBack(source)
			return name, nil
		}
		hash = []byte(u.hash)
	}
	right, err := g.hashing.right(r.Context(), hash, password)
	switch {
	case err != nil:
		g.guesses.giveBack(source)
		return "", refuseBusy
	case !right || !known:
		return "", refuseLogin
	}
	g.guesses.giveBack(source)
	mark := g.hashing.mark(password)
	u.good.Store(&mark)
	return name, nil
}

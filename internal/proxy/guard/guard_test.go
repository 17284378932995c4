package guard

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/nodeos-dev/gitd/internal/core/rules"
)

var (
	office   = netip.MustParseAddr("203.0.113.7")
	stranger = netip.MustParseAddr("192.0.2.1")
)

func guardOf(s rules.Set) *Guard {
	h := NewHashing()
	h.cost = bcrypt.MinCost
	g := New(h)
	g.Set(s)
	return g
}

func get() *http.Request { return &http.Request{Method: "GET", Header: http.Header{}} }

func as(name, password string) *http.Request {
	r := get()
	r.SetBasicAuth(name, password)
	return r
}

// status is that of the answer; 0: the request goes on, and has ended.
func status(g *Guard, from netip.Addr, r *http.Request) int {
	pass, no := g.Enter(from, r)
	if no != nil {
		return no.Status
	}
	pass.Leave()
	return 0
}

func userOf(t testing.TB, name, password string) rules.User {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return rules.User{Name: name, Hash: string(hash)}
}

func TestRules(t *testing.T) {
	big := &http.Request{Method: "POST", ContentLength: 11}
	only := []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::/32")}
	closed := &rules.Maintenance{Allow: only, Retry: time.Minute, Page: "<p>soon</p>"}
	for name, tt := range map[string]struct {
		set    rules.Set
		from   netip.Addr
		r      *http.Request
		status int
	}{
		"no rules":                  {rules.Set{}, stranger, get(), 0},
		"an address that may":       {rules.Set{Allow: only}, office, get(), 0},
		"an address of IPv6":        {rules.Set{Allow: only}, netip.MustParseAddr("2001:db8::9"), get(), 0},
		"an address that may not":   {rules.Set{Allow: only}, stranger, get(), 403},
		"no address":                {rules.Set{Allow: only}, netip.Addr{}, get(), 403},
		"maintenance":               {rules.Set{Maintenance: closed}, stranger, get(), 503},
		"maintenance, from inside":  {rules.Set{Maintenance: closed}, office, get(), 0},
		"maintenance, not allowed":  {rules.Set{Maintenance: closed, Allow: only}, stranger, get(), 403},
		"too large":                 {rules.Set{Limits: rules.Limits{Body: 10}}, stranger, big, 413},
		"as large as may be":        {rules.Set{Limits: rules.Limits{Body: 11}}, stranger, big, 0},
		"no password":               {rules.Set{Users: []rules.User{userOf(t, "ada", "correct horse")}}, stranger, get(), 401},
		"a wrong one":               {rules.Set{Users: []rules.User{userOf(t, "ada", "correct horse")}}, stranger, as("ada", "correct hors"), 401},
		"of somebody else":          {rules.Set{Users: []rules.User{userOf(t, "ada", "correct horse")}}, stranger, as("eve", "correct horse"), 401},
		"empty":                     {rules.Set{Users: []rules.User{userOf(t, "ada", "correct horse")}}, stranger, as("", ""), 401},
		"longer than bcrypt looks":  {rules.Set{Users: []rules.User{userOf(t, "ada", strings.Repeat("x", 72))}}, stranger, as("ada", strings.Repeat("x", 73)), 401},
		"the right one":             {rules.Set{Users: []rules.User{userOf(t, "ada", "correct horse")}}, stranger, as("ada", "correct horse"), 0},
		"right, but not from there": {rules.Set{Users: []rules.User{userOf(t, "ada", "correct horse")}, Allow: only}, stranger, as("ada", "correct horse"), 403},
	} {
		if got := status(guardOf(tt.set), tt.from, tt.r); got != tt.status {
			t.Errorf("%s: %d, want %d", name, got, tt.status)
		}
	}
	if _, no := guardOf(rules.Set{Maintenance: closed}).Enter(stranger, get()); no.Page != closed.Page || no.Retry != time.Minute {
		t.Errorf("%+v", no)
	}
	var none *Guard
	if status(none, stranger, get()) != 0 || none.Page(503) != "" {
		t.Error("no guard refuses something")
	}
}

// TestRates: what may come at once comes, then one each so often; one address takes nothing from others; what was
// counted stays when something else is changed.
func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := rules.Set{Limits: rules.Limits{RequestsFrom: rules.Rate{N: 60, Per: time.Minute}, Requests: rules.Rate{N: 100, Per: time.Hour}}}
		g := guardOf(set)
		send := func(from netip.Addr, n int) (in int) {
			for range n {
				if status(g, from, get()) == 0 {
					in++
				}
			}
			return in
		}
		if n := send(stranger, 1000); n != 60 {
			t.Errorf("%d of 1000 come in, want 60", n)
		}
		set.Limits.Body = 1 << 20
		g.Set(set)
		time.Sleep(5 * time.Second)
		if n := send(stranger, 1000); n != 5 {
			t.Errorf("%d come in after 5 s, want 5", n)
		}
		_, no := g.Enter(stranger, get())
		if no == nil || no.Status != 429 || no.Retry <= 0 || no.Retry > time.Second {
			t.Errorf("%+v", no)
		}
		if n := send(office, 1000); n != 35 {
			t.Errorf("%d of another address come in, want what is left of 100", n)
		}
		if n := g.Refused(); n[rules.LimitRequestsFrom] != 940+995+1+940 || n[rules.LimitRequests] != 25 {
			t.Errorf("refused: %v", n)
		}
		// All addresses of one host in IPv6 are one.
		many := 0
		g = guardOf(rules.Set{Limits: rules.Limits{RequestsFrom: rules.Rate{N: 1, Per: time.Hour}}})
		for _, a := range []string{"2001:db8::1", "2001:db8::2", "2001:db8::ffff:1"} {
			many += send(netip.MustParseAddr(a), 1)
		}
		if many != 1 {
			t.Errorf("%d addresses of one network come in, want 1", many)
		}
	})
}

// TestRatesOfManyAddresses: whoever comes from any number of addresses takes bounded memory.
func TestRatesOfManyAddresses(t *testing.T) {
	g := guardOf(rules.Set{Limits: rules.Limits{RequestsFrom: rules.Rate{N: 1, Per: time.Hour}}})
	addr := netip.MustParseAddr("10.0.0.0")
	for range 3 * maxSources {
		addr = addr.Next()
		status(g, addr, get())
	}
	b := g.held.Load().eachFrom
	if len(b.of) != maxSources || b.order.Len() != maxSources {
		t.Errorf("%d and %d addresses are kept", len(b.of), b.order.Len())
	}
	if status(g, addr, get()) != 429 {
		t.Error("the last address begins anew")
	}
}

func TestConnections(t *testing.T) {
	g := guardOf(rules.Set{Limits: rules.Limits{Connections: 2}})
	one, _ := g.Enter(stranger, get())
	two, no := g.Enter(stranger, get())
	if no != nil {
		t.Fatal(no)
	}
	for range 3 { // the refused ones leave nothing behind
		if got := status(g, office, get()); got != 503 {
			t.Errorf("the third: %d", got)
		}
	}
	one.Leave()
	if got := status(g, office, get()); got != 0 {
		t.Errorf("after one has ended: %d", got)
	}
	// A limit that is taken away and set again counts those that began before.
	g.Set(rules.Set{})
	g.Set(rules.Set{Limits: rules.Limits{Connections: 1}})
	if got := status(g, office, get()); got != 503 {
		t.Errorf("with one that runs: %d", got)
	}
	two.Leave()
	if got := status(g, office, get()); got != 0 {
		t.Errorf("at the end: %d", got)
	}
}

// TestGuessing: an address that guesses is not heard any more, not even with the right password, so that it learns
// nothing. Others are.
func TestGuessing(t *testing.T) { synctest.Test(t, guessing) }

func guessing(t *testing.T) {
	g := guardOf(rules.Set{Users: []rules.User{userOf(t, "ada", "correct horse")}})
	if status(g, office, as("ada", "correct horse")) != 0 {
		t.Fatal("the right password is refused")
	}
	var wrong, silent atomic.Int64
	var all sync.WaitGroup
	for range 40 { // at once: none gets past the count
		all.Go(func() {
			switch status(g, stranger, as("ada", "guess")) {
			case 401:
				wrong.Add(1)
			case 429:
				silent.Add(1)
			}
		})
	}
	all.Wait()
	if wrong.Load() != maxGuesses || silent.Load() != 40-maxGuesses {
		t.Errorf("%d guesses were looked at, %d were not", wrong.Load(), silent.Load())
	}
	if got := status(g, stranger, as("ada", "correct horse")); got != 429 {
		t.Errorf("the right password of one who guesses: %d", got)
	}
	if got := status(g, office, as("ada", "correct horse")); got != 0 {
		t.Errorf("everybody else: %d", got)
	}
	// A browser asks without a password first, any number of times.
	for range 3 * maxGuesses {
		if got := status(g, office, get()); got != 401 {
			t.Fatalf("without a password: %d", got)
		}
	}
	if got := status(g, office, as("ada", "correct horse")); got != 0 {
		t.Errorf("after that: %d", got)
	}
}

// TestPasswordIsHashedOnce: a request with a password that was right before costs no hash, until the password changes.
func TestPasswordIsHashedOnce(t *testing.T) {
	g := guardOf(rules.Set{Users: []rules.User{userOf(t, "ada", "correct horse")}})
	if status(g, office, as("ada", "correct horse")) != 0 {
		t.Fatal("refused")
	}
	// Nothing can be hashed from here on.
	for len(g.hashing.places) < cap(g.hashing.places) {
		g.hashing.places <- struct{}{}
	}
	for range 3 * maxGuesses {
		if status(g, office, as("ada", "correct horse")) != 0 {
			t.Fatal("refused")
		}
	}
	for range cap(g.hashing.places) {
		<-g.hashing.places
	}
	g.Set(rules.Set{Users: []rules.User{userOf(t, "ada", "battery staple")}})
	if got := status(g, office, as("ada", "correct horse")); got != 401 {
		t.Errorf("the old password: %d", got)
	}
	if got := status(g, office, as("ada", "battery staple")); got != 0 {
		t.Errorf("the new one: %d", got)
	}
	g.Set(rules.Set{Users: []rules.User{userOf(t, "bob", "something else")}})
	if got := status(g, office, as("ada", "battery staple")); got != 401 {
		t.Errorf("a user who was removed: %d", got)
	}
}

// TestNamesTakeTheSameTime: who does not exist cannot be told by time from who does.
func TestNamesTakeTheSameTime(t *testing.T) {
	g := guardOf(rules.Set{Users: []rules.User{userOf(t, "ada", "correct horse")}})
	timed := func(name string) time.Duration {
		shortest := time.Hour
		for range 3 {
			began := time.Now()
			if got := status(g, stranger, as(name, "guess")); got != 401 {
				t.Fatalf("%s: %d", name, got)
			}
			shortest = min(shortest, time.Since(began))
		}
		return shortest
	}
	timed("warm")
	if ada, eve := timed("ada"), timed("eve"); eve < ada/3 || ada < eve/3 {
		t.Errorf("ada: %v, eve, who does not exist: %v", ada, eve)
	}
}

// TestHashingIsBounded: passwords that wait to be looked at do not pile up.
func TestHashingIsBounded(t *testing.T) {
	g := guardOf(rules.Set{Users: []rules.User{userOf(t, "ada", "correct horse")}})
	for range cap(g.hashing.places) {
		g.hashing.places <- struct{}{}
	}
	addr, answers := netip.MustParseAddr("10.0.0.0"), make(chan int)
	for range maxWaiting + 1 {
		addr = addr.Next()
		go func(from netip.Addr) { answers <- status(g, from, as("ada", "guess")) }(addr)
	}
	if got := <-answers; got != 503 {
		t.Errorf("the first answer is %d", got)
	}
	for range cap(g.hashing.places) {
		<-g.hashing.places
	}
	for range maxWaiting {
		if got := <-answers; got != 401 {
			t.Errorf("one of those that waited: %d", got)
		}
	}
}

func TestHash(t *testing.T) {
	if hash, err := Hash("correct horse"); err != nil || bcrypt.CompareHashAndPassword([]byte(hash), []byte("correct horse")) != nil {
		t.Errorf("%q, %v", hash, err)
	}
	for _, password := range []string{"", "short", strings.Repeat("x", 73)} {
		if _, err := Hash(password); err == nil {
			t.Errorf("%d bytes are a password", len(password))
		}
	}
}

package certs

import (
	"context"
	"net/http"
	"time"
)

const (
	most        = 4 // certificates that are asked for side by side
	readPause   = 250 * time.Millisecond
	firstWait   = time.Minute // after a failure; each further one waits twice as long
	longestWait = 12 * time.Hour
	// demandWait is how long a failed name waits at least, also if a handshake comes for it. Let's Encrypt takes five
	// failures of a name in an hour.
	demandWait = 15 * time.Minute
	// shakeWait is how long a handshake waits for its certificate. The front door gives it ten seconds as a whole.
	shakeWait = 8 * time.Second
)

// job is a name for which a certificate is asked for.
type job struct {
	name     string
	app      string
	due      bool // somebody wants it
	demanded bool // by a handshake, which shows that the name leads here
	has      bool // there is a certificate, which is renewed in time
	running  bool
	fails    int // since the last success
	last     time.Time
	next     time.Time     // not before
	reason   string        // of the last failure
	ended    chan struct{} // closed and replaced when a try ends
}

// Begin takes the certificates that are kept already.
func (k *Keeper) Begin(ctx context.Context) error { return k.read(ctx) }

// tend asks for certificates until ctx ends. It looks again when the ledger has changed, when a handshake wants
// something, when a try has ended or is due, and each hour, for what people have brought may have expired.
func (k *Keeper) tend(ctx context.Context) {
	for {
		changed := k.cfg.Changed()
		if err := k.read(ctx); err != nil && ctx.Err() == nil {
			k.log.Error().Err(err).Msg("it cannot be read for which names certificates are needed")
		}
		timer := time.NewTimer(k.start(ctx))
		select {
		case <-ctx.Done():
		case <-changed:
		case <-k.wake:
		case <-timer.C:
		}
		timer.Stop()
		select { // the ledger changes often, and names do not
		case <-ctx.Done():
			return
		case <-time.After(readPause):
		}
	}
}

// read takes the names that are served now. What nobody serves any more is forgotten.
func (k *Keeper) read(ctx context.Context) error {
	k.reading.Lock()
	defer k.reading.Unlock()
	list, err := k.cfg.Names(ctx)
	if err != nil {
		return err
	}
	set, err := k.readSet(ctx)
	if err != nil {
		return err
	}
	apps := map[string]string{}
	for _, n := range list {
		apps[plain(n.Host)] = n.App
	}
	k.mu.Lock()
	k.apps, k.set = apps, set
	k.mu.Unlock()
	if k.office != nil {
		k.readJobs(ctx, list)
	}
	return nil
}

// readJobs takes the names for which certificates are needed.
func (k *Keeper) readJobs(ctx context.Context, list []Name) {
	wanted := map[string]*job{}
	for _, n := range list {
		n.Host = plain(n.Host)
		if c, _ := k.own(n.Host, time.Now()); c == nil || !good(c, time.Now()) {
			k.want(n, wanted)
		}
	}
	gone, fresh := k.differ(wanted)
	for _, j := range gone {
		k.office.forget(j.name)
	}
	for _, j := range fresh {
		var err error
		if j.has, err = k.office.load(ctx, j.name); err != nil {
			k.log.Error().Err(err).Str("name", j.name).Msg("a certificate cannot be read, and another one will be asked for")
		}
	}
	k.mu.Lock()
	k.jobs = wanted
	k.mu.Unlock()
}

// differ says which jobs there were before, and which there were not.
func (k *Keeper) differ(wanted map[string]*job) (gone, fresh []*job) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for name, j := range k.jobs {
		if wanted[name] == nil {
			gone = append(gone, j)
		}
	}
	for name, j := range wanted {
		if k.jobs[name] == nil {
			fresh = append(fresh, j)
		}
	}
	return gone, fresh
}

// want adds the job of a name: the old job, if there is one.
func (k *Keeper) want(n Name, wanted map[string]*job) {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := k.askedFor(n.Host)
	j := wanted[name]
	if j == nil {
		if j = k.jobs[name]; j == nil {
			j = &job{name: name, ended: make(chan struct{})}
		}
		wanted[name] = j
	}
	j.app = n.App
	if name != n.Host {
		j.app = "" // it is of all apps
	}
	j.due = j.due || n.Eager || name != n.Host
}

// askedFor is the name in the certificate for host: one for all apps, if there is a DNS to show that the domain is
// ours.
func (k *Keeper) askedFor(host string) string {
	if k.cfg.ACME != nil && k.cfg.ACME.DNS != nil && wildcardOf(host) == "*."+k.cfg.Domain {
		return wildcardOf(host)
	}
	return host
}

// start begins what is due and allowed, and returns when to look again.
func (k *Keeper) start(ctx context.Context) (again time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, running := time.Now(), 0
	for _, j := range k.jobs {
		if j.running {
			running++
		}
	}
	again = time.Hour
	for _, j := range k.jobs {
		if !j.due || j.has || j.running {
			continue
		}
		if wait := j.next.Sub(now); wait > 0 {
			again = min(again, wait)
			continue
		}
		if running >= most {
			continue // the end of another wakes
		}
		if wait := k.rate.take(j.app, j.demanded, now); wait > 0 {
			j.reason = "too many certificates were asked for in the last hour"
			again = min(again, wait)
			continue
		}
		running++
		j.running = true
		go k.try(ctx, j)
	}
	return max(again, time.Millisecond)
}

// try asks for the certificate of a job.
func (k *Keeper) try(ctx context.Context, j *job) {
	err := k.office.ask(ctx, j.name)
	k.mu.Lock()
	j.running, j.demanded, j.last = false, false, time.Now()
	j.settle(err)
	first := j.fails == 1
	close(j.ended)
	j.ended = make(chan struct{})
	app, served := j.app, k.jobs[j.name] == j
	k.mu.Unlock()
	switch {
	case err == nil && !served: // its name has gone meanwhile
		k.office.forget(j.name)
	case err == nil:
		k.log.Info().Str("name", j.name).Str("app", app).Msg("certificate")
		k.note(app, "gitd", "certificate.new", j.name)
	case ctx.Err() == nil:
		k.log.Warn().Err(err).Str("name", j.name).Str("app", app).Msg("no certificate")
		if first {
			k.note(app, "gitd", "certificate.fail", j.name+": "+reasonOf(err))
		}
	}
	k.stir()
}

// settle notes how a try has ended.
func (j *job) settle(err error) {
	if err == nil {
		j.has, j.fails, j.reason, j.next = true, 0, "", time.Time{}
		return
	}
	j.fails++
	j.reason = reasonOf(err)
	j.next = j.last.Add(min(longestWait, firstWait<<min(j.fails-1, 20)))
}

// renewed is called after each try to renew a certificate; certmagic has its own pauses for these.
func (k *Keeper) renewed(name string, err error) {
	k.mu.Lock()
	j := k.jobs[name]
	if j == nil {
		k.mu.Unlock()
		return
	}
	first := err != nil && j.reason == ""
	j.reason = ""
	if err != nil {
		j.reason = reasonOf(err)
	}
	app := j.app
	k.mu.Unlock()
	switch {
	case err == nil:
		k.log.Info().Str("name", name).Str("app", app).Msg("certificate renewed")
		k.note(app, "gitd", "certificate.new", name+" (renewed)")
	case first:
		k.note(app, "gitd", "certificate.fail", name+" (renewal): "+reasonOf(err))
	}
}

// demand is called for a handshake that finds no certificate. It asks for one, if the name is one of ours, and waits.
func (k *Keeper) demand(ctx context.Context, host string) {
	if k.office == nil {
		return
	}
	k.mu.Lock()
	j := k.jobs[k.askedFor(host)]
	_, served := k.apps[host]
	if j == nil || !served || j.has || !j.demand(time.Now()) {
		k.mu.Unlock()
		if served && j == nil {
			k.stir() // what people had brought has expired
		}
		return
	}
	ended := j.ended
	k.mu.Unlock()
	k.stir()
	ctx, cancel := context.WithTimeout(ctx, shakeWait)
	defer cancel()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// demand makes a job due, and reports whether a handshake can wait for it.
func (j *job) demand(now time.Time) bool {
	if j.running {
		return true
	}
	if soon := j.last.Add(demandWait); j.fails > 0 && soon.Before(j.next) {
		j.next = soon
	}
	j.due, j.demanded = true, true
	return !j.next.After(now)
}

// stir has tend look what is to be begun.
func (k *Keeper) stir() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *Keeper) note(app, actor, action, detail string) {
	if k.cfg.Note != nil {
		k.cfg.Note(app, actor, action, detail)
	}
}

// Challenges answers the ACME server, and gives all else to next.
func (k *Keeper) Challenges(next http.Handler) http.Handler {
	if k.office == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !k.office.answer(w, r) {
			next.ServeHTTP(w, r)
		}
	})
}

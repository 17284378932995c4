package wire

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// pause is between two reports: what a guest tries again and again within it is one line.
const pause = time.Second

// Serve is the side of a machine's network. It serves one gitd at a time: a new one takes the place of the old, which
// may be gone without a word.
func Serve(ctx context.Context, door net.Listener, refusals *Refusals, asks *Asks, set func(core.Egress)) error {
	var wait sync.WaitGroup
	defer wait.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var last net.Conn
	for {
		conn, err := door.Accept()
		if err == nil && ctx.Err() != nil {
			conn.Close() // it came with the end, and would wait for a word
		}
		if errors.Is(err, net.ErrClosed) || ctx.Err() != nil {
			return err
		}
		if err != nil { // a lack of descriptors passes
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			continue
		}
		if last != nil {
			last.Close()
			wait.Wait()
		}
		last = conn
		wait.Go(func() { serve(ctx, conn, refusals, asks, set) })
	}
}

// serve speaks with one gitd until it or ctx ends.
func serve(ctx context.Context, conn net.Conn, refusals *Refusals, asks *Asks, set func(core.Egress)) {
	ctx, cancel := context.WithCancel(ctx)
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	defer conn.Close()
	var write sync.Mutex
	say := func(m message) error {
		write.Lock()
		defer write.Unlock()
		return send(conn, m)
	}
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	wait.Go(func() {
		defer conn.Close()
		report(ctx, refusals, say)
	})
	asks.again()
	wait.Go(func() {
		defer conn.Close()
		ask(ctx, asks, say)
	})
	receive(conn, func(m message) error { //nolint:errcheck // however it ends: gitd comes again
		switch {
		case m.No != nil:
			asks.answer(m.No.N, nil, m.No.Why) //nolint:errcheck // it may have given up
		case m.Policy != nil:
			set(core.Egress{Rules: m.Policy.Rules, Rate: m.Policy.Rate, Links: m.Policy.Links})
			return say(message{Set: true})
		}
		return nil
	})
}

// ask passes questions on, until saying fails.
func ask(ctx context.Context, asks *Asks, say func(message) error) {
	for {
		select {
		case <-asks.wake:
		case <-ctx.Done():
			return
		}
		for _, q := range asks.unsaid() {
			if say(message{Ask: &q}) != nil {
				return
			}
		}
	}
}

// report says what was refused, until saying fails.
func report(ctx context.Context, refusals *Refusals, say func(message) error) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-refusals.wake:
		case <-ctx.Done():
			return
		}
		list := refusals.take()
		for i, n := range list {
			if say(message{Refused: &n}) != nil {
				refusals.keep(list[i:]) // for the next gitd
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

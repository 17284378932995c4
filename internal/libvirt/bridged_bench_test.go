package libvirt

import (
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/core"
)

// TestBridgeFigures measures requests from the host to a machine on a network of libvirt beside one with its own, in
// turns. docs/decisions/0151-a-libvirt-network.md has what it printed.
func TestBridgeFigures(t *testing.T) {
	if !*hostTests {
		t.Skip("make test-host measures it")
	}
	if !inNet(t) {
		return
	}
	l, _, bridged, _ := bridged(t)
	own := core.StateDir(string(state) + "g")
	t.Cleanup(func() { os.RemoveAll(string(own)) })
	if err := errors.Join(own.Create(), os.Chmod(string(own), 0o711)); err != nil {
		t.Fatal(err)
	}
	d, err := New(t.Context(), Config{URI: l.URI(), State: own, Machine: program, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	alone := bootBridged(t, d, newImage(t).spec("shop-v1-own"))
	alone.kind(core.EventListening, 1)
	for _, what := range []struct {
		name, path  string
		connections int
	}{
		{"a line, one connection", "/", 1}, {"a line, 16 connections", "/", 16}, {"the app's own program, one connection", "/file?name=/usr/bin/server", 1},
	} {
		var rates [2][]float64
		for range 7 {
			for i, p := range []*probe{alone, bridged} {
				rates[i] = append(rates[i], rate(t, p.m.Addr, what.path, what.connections))
			}
		}
		for i := range rates {
			slices.Sort(rates[i])
		}
		t.Logf("%s: %.1f/s (%.1f to %.1f) with the gateway, %.1f/s (%.1f to %.1f) on the bridge", what.name,
			rates[0][3], rates[0][0], rates[0][6], rates[1][3], rates[1][0], rates[1][6])
	}
}

// rate is how many requests a second so many connections get answered.
func rate(t *testing.T, addr, path string, connections int) float64 {
	t.Helper()
	const round = time.Second
	client := &http.Client{Transport: &http.Transport{DialContext: core.MachineDialer(addr, time.Minute), MaxIdleConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	counts := make(chan int, connections)
	began := time.Now()
	for range connections {
		all.Go(func() {
			n := 0
			for time.Since(began) < round {
				answer, err := client.Get("http://machine" + path)
				if err != nil {
					t.Error(err)
					break
				}
				io.Copy(io.Discard, answer.Body) //nolint:errcheck // an answer of one line
				answer.Body.Close()
				n++
			}
			counts <- n
		})
	}
	all.Wait()
	close(counts)
	sum := 0
	for n := range counts {
		sum += n
	}
	return float64(sum) / time.Since(began).Seconds()
}

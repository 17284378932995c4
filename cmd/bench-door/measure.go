package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// way is how requests come.
type way struct {
	name   string
	secure bool
	args   []string // of h2load
}

// Sixteen requests at a time: on sixteen connections of HTTP/1.1, or on four of HTTP/2.
var ways = []way{
	{"HTTP/1.1", false, []string{"--h1", "-c16"}},
	{"HTTP/1.1, TLS", true, []string{"--h1", "-c16"}},
	{"HTTP/2, TLS", true, []string{"-c4", "-m4"}},
}

// warmUp is how long a door is asked before the measurement.
const warmUp = time.Second

var bodies = []string{"small", "large"}

// figures are those of one door in one way, one of each round.
type figures struct {
	rate     []float64 // requests a second
	p50, p99 []float64 // milliseconds
	spent    []float64 // processor time for each request, in microseconds
}

func key(w way, body, door string) string { return w.name + "|" + body + "|" + door }

// measureAll measures each combination in each round; within it, each door in turn, and another one first each time.
func (b *bench) measureAll(ctx context.Context) error {
	for round := range b.rounds {
		for _, w := range ways {
			for _, body := range bodies {
				for i := range doors {
					door := doors[(i+round)%len(doors)]
					if err := b.measure(ctx, w, body, door); err != nil {
						return err
					}
				}
			}
		}
		fmt.Fprintf(os.Stderr, "bench-door: round %d of %d\n", round+1, b.rounds)
	}
	return nil
}

// measure asks a door for a body for a while.
func (b *bench) measure(ctx context.Context, w way, body, door string) error {
	log := filepath.Join(b.run, "requests")
	if err := os.RemoveAll(log); err != nil {
		return err
	}
	scheme := "http"
	if w.secure {
		scheme = "https"
	}
	// The name leads to this host by h2load's option, and stands in SNI and Host.
	args := append(slices.Clone(w.args), "-t1", "-D", fmt.Sprint(b.each.Seconds()), fmt.Sprintf("--warm-up-time=%.0f", warmUp.Seconds()), "--log-file="+log,
		"--connect-to="+address(door, w.secure), scheme+"://"+host+port(door, w.secure)+"/"+body)
	cmd := exec.CommandContext(ctx, filepath.Join(b.work, "root/usr/bin/h2load"), args...)
	cmd.Env = b.environment()
	spent := processorTime(b.running[door].Process.Pid, warmUp)
	out, err := cmd.CombinedOutput()
	took, timeErr := spent()
	if err := errors.Join(err, timeErr); err != nil {
		return fmt.Errorf("h2load: %w: %s", err, out)
	}
	if !strings.Contains(string(out), " 0 failed, 0 errored, 0 timeout") {
		return fmt.Errorf("%s, %s, %s: requests failed: %s", door, w.name, body, out)
	}
	times, err := requestTimes(log)
	if err != nil {
		return fmt.Errorf("%s, %s, %s: %w", door, w.name, body, err)
	}
	slices.Sort(times)
	f := b.results[key(w, body, door)]
	if f == nil {
		f = &figures{}
		b.results[key(w, body, door)] = f
	}
	f.rate = append(f.rate, float64(len(times))/b.each.Seconds())
	f.spent = append(f.spent, float64(took.Microseconds())/float64(len(times)))
	f.p50 = append(f.p50, float64(times[len(times)/2])/1000)
	f.p99 = append(f.p99, float64(times[len(times)*99/100])/1000)
	if rss, err := memory(b.running[door].Process.Pid); err == nil {
		b.memory[door] = append(b.memory[door], rss)
	}
	return nil
}

func port(door string, secure bool) string {
	a := address(door, secure)
	return a[strings.LastIndexByte(a, ':'):]
}

// requestTimes reads h2load's log: begin, status, and how long it took, in microseconds. Requests that still ran at the
// end have the status 0.
func requestTimes(log string) (times []int64, err error) {
	f, err := os.Open(log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) == 3 && words[1] == "0" {
			continue
		}
		if len(words) != 3 || words[1] != "200" {
			return nil, fmt.Errorf("a request was answered with %q", words)
		}
		n, err := strconv.ParseInt(words[2], 10, 64)
		if err != nil {
			return nil, err
		}
		times = append(times, n)
	}
	if len(times) < 100 {
		return nil, fmt.Errorf("%d requests are too few", len(times))
	}
	return times, nil
}

// ratios are those of two doors in the same rounds.
func ratios(of, to []float64) (all []float64) {
	for i := range of {
		all = append(all, of[i]/to[i])
	}
	return all
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// print writes the medians, and how the rates and the processor times compare with Caddy's in the same round.
func (b *bench) print(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprintln(t, "| way\t| body\t| door\t| requests/s\t| of Caddy's\t| p50 ms\t| p99 ms\t| CPU µs a request\t| of Caddy's\t|")
	fmt.Fprintln(t, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, w := range ways {
		for _, body := range bodies {
			caddy := b.results[key(w, body, "caddy")]
			for _, door := range doors {
				f := b.results[key(w, body, door)]
				fmt.Fprintf(t, "| %s\t| %s\t| %s\t| %.0f\t| %.2f\t| %.2f\t| %.2f\t| %.0f\t| %.2f\t|\n", w.name, body, door,
					median(f.rate), median(ratios(f.rate, caddy.rate)), median(f.p50), median(f.p99), median(f.spent), median(ratios(f.spent, caddy.spent)))
			}
		}
	}
	fmt.Fprintln(t, "\n| door\t| memory after the load, MiB\t|\n|---\t|---\t|")
	for _, door := range doors {
		if all := b.memory[door]; len(all) > 0 {
			fmt.Fprintf(t, "| %s\t| %.1f\t|\n", door, float64(all[len(all)-1])/(1<<20))
		}
	}
	return t.Flush()
}

// Bench-door measures the front door beside nginx, HAProxy and Caddy, all in front of the same backend: requests a
// second, latency, and memory, in turns, and prints the tables of docs/decisions/0153-load.md.
//
// It owns the order of the rounds, the settings of the others, and the figures. The front door is the packages that
// gitd serve has (proxy, certs, the access log of each app), in a process of its own; the machines behind it are not
// measured here: a backend that is emulated would hide the door.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-door:", err)
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	rounds int
	each   time.Duration // of one measurement
	work   string        // folder for the others' programs and settings
	door   string        // this process is the front door, with its settings in this folder
}

func run(ctx context.Context) error {
	var s settings
	flag.IntVar(&s.rounds, "rounds", 5, "how often each combination is measured")
	flag.DurationVar(&s.each, "time", 3*time.Second, "how long each measurement takes")
	flag.StringVar(&s.work, "work", "/var/tmp/gitd-bench-door", "folder for Debian's nginx, HAProxy, Caddy and h2load, which are unpacked there and not installed")
	flag.StringVar(&s.door, "door", "", "used by bench-door itself")
	flag.Parse()
	if s.door != "" {
		return serveDoor(ctx, s.door)
	}
	b, err := prepare(ctx, s)
	if err != nil {
		return err
	}
	defer b.stop()
	if err := b.measureAll(ctx); err != nil {
		return err
	}
	return b.print(os.Stdout)
}

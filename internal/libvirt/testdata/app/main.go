// App takes the place of Node and a user's app in the tests of the driver.
//
// Node's sockets are not those of multipath TCP, so neither are its.
//
//go:debug multipathtcp=0
package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// work does nothing until it is asked to end.
func work() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	fmt.Fprintln(os.Stderr, "cannot find the database")
	<-stop
	os.Exit(0)
}

func main() {
	// This is read before the signal package changes the signals of this process.
	status, _ := os.ReadFile("/proc/self/status")
	if os.Getenv("DRIVERTEST") == "exit" {
		fmt.Fprintln(os.Stderr, "cannot find the database")
		os.Exit(3)
	}
	if os.Getenv("DRIVERTEST") == "cat" {
		fmt.Fprintln(os.Stderr, "cannot find the database")
		if _, err := io.Copy(os.Stdout, os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(4)
	}
	if os.Getenv("DRIVERTEST") == "eat" {
		eat()
	}
	if os.Getenv("DRIVERTEST") == "bomb" {
		bomb()
	}
	if os.Getenv("DRIVERTEST") == "work" {
		work()
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		for range stop {
			fmt.Println("asked to stop")
			if os.Getenv("DEAF") == "" {
				os.Exit(0)
			}
		}
	}()
	fmt.Println("starting")
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello from the machine") })
	http.HandleFunc("/try", try)
	http.HandleFunc("/list", func(w http.ResponseWriter, r *http.Request) { list(w, r.FormValue("dir")) })
	http.HandleFunc("/exit", func(_ http.ResponseWriter, r *http.Request) { os.Exit(number(r, "code")) })
	http.HandleFunc("/signal", func(_ http.ResponseWriter, r *http.Request) { die(syscall.Signal(number(r, "number"))) })
	http.HandleFunc("/bomb", func(http.ResponseWriter, *http.Request) { explode() })
	http.HandleFunc("/endless", func(http.ResponseWriter, *http.Request) { go endless() })
	http.HandleFunc("/time", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, time.Now().UnixNano()) })
	http.HandleFunc("/crash", func(http.ResponseWriter, *http.Request) { os.Exit(7) })
	http.HandleFunc("/eat", func(http.ResponseWriter, *http.Request) { eat() })
	http.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) { file(w, r.FormValue("name")) })
	http.HandleFunc("/write", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, os.WriteFile(r.FormValue("name"), []byte("written"), 0o644))
	})
	http.HandleFunc("/count", func(_ http.ResponseWriter, r *http.Request) { go count(r.FormValue("name")) })
	http.HandleFunc("/pause", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, longest.Swap(0)) })
	http.HandleFunc("/save", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, save(r.FormValue("name"), number(r, "size")))
	})
	http.HandleFunc("/connect", func(w http.ResponseWriter, r *http.Request) { connect(w, r.FormValue("addr")) })
	http.HandleFunc("/status", func(w http.ResponseWriter, _ *http.Request) { w.Write(status) })
	http.HandleFunc("/env", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Join(os.Environ(), "\n")) })
	http.HandleFunc("/flood", func(http.ResponseWriter, *http.Request) {
		for i := range 20000 {
			fmt.Println("flood", i, strings.Repeat("x", 200))
		}
	})
	at := ":" + os.Getenv("PORT")
	if other := os.Getenv("AT"); other != "" {
		at = other
	}
	http.HandleFunc("/open", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, serve(r.FormValue("addr"))) })
	if err := serve(at); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {}
}

// serve answers requests at an address too.
func serve(at string) error {
	network := "tcp"
	if strings.Contains(at, ".") {
		network = "tcp4" // "tcp" takes IPv6 for 0.0.0.0 too
	}
	l, err := net.Listen(network, at)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/where", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, l.Addr()) })
	mux.Handle("/", http.DefaultServeMux)
	go func() { fmt.Fprintln(os.Stderr, http.Serve(l, mux)) }()
	return nil
}

// save returns when a file is on the disk.
func save(name string, size int) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(bytes.Repeat([]byte("x"), size)); err != nil {
		return err
	}
	return f.Sync()
}

// eat takes all the memory there is.
func eat() {
	for {
		block := make([]byte, 16<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		eaten = append(eaten, block)
	}
}

var eaten [][]byte

func file(w http.ResponseWriter, name string) {
	b, err := os.ReadFile(name)
	if err != nil {
		fmt.Fprintln(w, err)
	}
	w.Write(b)
}

func list(w http.ResponseWriter, dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		fmt.Fprintln(w, err)
	}
	for _, e := range entries {
		fmt.Fprintln(w, e.Name())
	}
}

func connect(w http.ResponseWriter, addr string) {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		fmt.Fprintln(w, err)
		return
	}
	c.Close()
	fmt.Fprintln(w, "connected")
}

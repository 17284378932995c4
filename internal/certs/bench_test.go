package certs

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"testing"

	"github.com/rs/zerolog"
)

// BenchmarkNames measures what a handshake costs before it is signed, beside 1,000 apps: for a name with a certificate,
// and for one that a stranger has invented.
func BenchmarkNames(b *testing.B) {
	var list []Name
	for i := range 1000 {
		list = append(list, Name{fmt.Sprintf("app%d.example.test", i), fmt.Sprintf("app%d", i), false})
	}
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}
	k, err := New(Config{
		Domain: "example.test", Store: shelf{}, Log: zerolog.Nop(), Folder: b.TempDir(),
		ACME:  &ACME{Directory: "https://127.0.0.1:1/", Folder: b.TempDir(), PerHour: 1, HTTP: local, TLS: local},
		Names: func(context.Context) ([]Name, error) { return list, nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	defer k.office.close()
	if err := k.read(b.Context()); err != nil {
		b.Fatal(err)
	}
	chain, key := made(b, tomorrow, "app1.example.test")
	c, err := Pair{string(chain), string(key)}.Open()
	if err != nil {
		b.Fatal(err)
	}
	found := names{}
	found.add(c)
	k.folder.pairs.Store(&found)
	for _, name := range []string{"app1.example.test", "invented.example.test"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			hello := &tls.ClientHelloInfo{ServerName: name}
			for b.Loop() {
				if _, err := k.certificate(hello); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

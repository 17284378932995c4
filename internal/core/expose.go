package core

import "slices"

// Expose is what an app offers by TCP, beside or in place of HTTP. Ports are those of its machine.
type Expose struct {
	TCP      []int `json:"tcp,omitempty"`      // each has a port of the host, and linked apps reach it too
	Internal []int `json:"internal,omitempty"` // only linked apps reach it
	NoHTTP   bool  `json:"no_http,omitempty"`  // the app does not speak HTTP: the front door has nothing for it
}

// Ports are all of them, those of TCP first.
func (e Expose) Ports() []int { return slices.Concat(e.TCP, e.Internal) }

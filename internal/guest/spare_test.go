package guest

import "testing"

func TestAnew(t *testing.T) {
	for _, tt := range []struct {
		args []string
		env  string
		want string
	}{
		{[]string{Node, "server.js"}, "", ""},
		{[]string{Node, ".", "--port", "80"}, "NODE_ENV=production", ""},
		{[]string{Node, "a.js"}, "NODE_PATH=/app/lib", ""},
		{[]string{Node, "a.js"}, "NODEOS_PROCESS=web.1", ""},
		{[]string{Node, "a.js"}, "TZ=Europe/Berlin", ""},
		{[]string{Node, "--max-old-space-size=64", "a.js"}, "", "node has options"},
		{[]string{Node, "-e", "1"}, "", "node has options"},
		{[]string{Node}, "", "node has options"},
		{[]string{Node, "inspect", "a.js"}, "", "node has no file to run"},
		{[]string{"node", "a.js"}, "", "another program is started"},
		{[]string{"next", "start"}, "", "another program is started"},
		{nil, "", "another program is started"},
		{[]string{Node, "a.js"}, "NODE_OPTIONS=--max-old-space-size=64", "NODE_OPTIONS is set"},
		{[]string{Node, "a.js"}, "NODE_OPTIONS=", "NODE_OPTIONS is set"},
		{[]string{Node, "a.js"}, "NODE_EXTRA_CA_CERTS=/app/ca.pem", "NODE_EXTRA_CA_CERTS is set"},
		{[]string{Node, "a.js"}, "NODE_COMPILE_CACHE=/tmp/c", "NODE_COMPILE_CACHE is set"},
		{[]string{Node, "a.js"}, "LD_PRELOAD=/app/x.so", "LD_PRELOAD is set"},
		{[]string{Node, "a.js"}, "LANG=de_DE.UTF-8", "LANG is set"},
		{[]string{Node, "a.js"}, "UV_THREADPOOL_SIZE=8", "UV_THREADPOOL_SIZE is set"},
	} {
		if got := Anew(tt.args, []string{"HOME=/app", tt.env}); got != tt.want {
			t.Errorf("%q with %q: %q, want %q", tt.args, tt.env, got, tt.want)
		}
	}
}

package main

import "flag"

// limits makes TestScripts/memory_heap run, which make test leaves out.
var limits = flag.Bool("limits", false, "run the script with a heap that is larger than the machine: it takes minutes without KVM")

// browser makes TestScripts/browser run, which make test leaves out.
var browser = flag.Bool("browser", false, "run the script with a browser: it fetches 135 MiB and takes minutes without KVM")

package main

import "flag"

// browser makes TestScripts/browser run, which make test leaves out.
var browser = flag.Bool("browser", false, "run the script with a browser: it fetches 135 MiB and takes minutes without KVM")

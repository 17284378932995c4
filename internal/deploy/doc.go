// Package deploy is the core of gitd: what an App, a Release and a Machine
// are, and how a push becomes the running release or changes nothing.
//
// It owns the order of a deployment (build, boot, health, swap, retire), the
// lock of each app, and every change of a release's state. It does not own
// how an image is made (Builder), how a machine runs (Driver), how requests
// reach it (Router) or how any of it is stored (Ledger): those are small
// interfaces here, implemented by the trades beside it. It imports the
// standard library only.
package deploy

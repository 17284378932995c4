// Package deploy is the pipeline: how a push, or a command, becomes the live release of an app or changes nothing.
//
// It owns the order of a deployment (pipeline.go: build, boot, swap), the turns of an app's deployments (queue.go),
// what the refs of a push mean (push.go), and each state of a release up to live. It does not own how an image is made
// (Builder), what runs (package fleet), or how any of it is stored (Ledger).
package deploy

// Package turns is who may change what runs of an app, and in which order.
//
// It owns the waiting: for the stage of an app, for its machines that drain, and for the one revival of a process. It
// does not own what is done in a turn, and knows no machine.
package turns

// Package drain sends what apps say, and what deployments print, to receivers elsewhere: syslog, HTTPS with JSON, and
// OTLP.
//
// It owns the drains, how far each has come, and how a line is written for each kind of receiver. It does not own the
// lines: they stay in the files of package applog, which are the queue of every drain. So an app never waits for a
// receiver, what waits for one takes no memory, and gitd may end at any time: the next one goes on from the position
// that was kept, and sends at most what the receiver may have had without an answer (at least once).
package drain

// Package coretest holds the tests of the core's rooms together: on the real ledger, with trades whose behaviour a test
// chooses, and with machines that are HTTP servers on loopback. It holds nothing else.
package coretest

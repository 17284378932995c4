// Package people is who may log in and what they may do: users, keys, roles and invitations.
//
// It owns the policy for changing them (Service), and what a change is: it is stored together with its entry in the
// audit, in one transaction, and then the doors look again at who is there. It does not own how a person proves a key,
// nor how a connection ends (package server), nor how the ledger stores anything (Store).
package people

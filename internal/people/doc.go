// Package people owns who may log in and what they may do: users, keys, roles and invitations, and the policy for
// changing them.
//
// It does not own how a person proves a key (package server).
package people

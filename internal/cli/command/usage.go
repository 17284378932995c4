package command

import (
	"fmt"

	"github.com/spf13/cobra"
)

// Silent is an error about which the caller was told already. It only carries
// an exit code.
type Silent int

func (s Silent) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// UsageError is a command line that cannot be understood.
type UsageError struct{ text string }

func (e *UsageError) Error() string { return e.text }

// Misuse answers a wrong command line with the right one.
func Misuse(cmd *cobra.Command, err error) error {
	return &UsageError{err.Error() + "\nusage: " + cmd.UseLine() + "; `" + cmd.Root().Name() + " help` lists the commands"}
}

// Args checks the positional arguments and answers with the usage line.
func Args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch err := check(cmd, args); {
		case err == nil:
			return nil
		case IsUnknown(err):
			return Unknown(cmd, err)
		default:
			return Misuse(cmd, err)
		}
	}
}

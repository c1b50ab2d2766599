package program

import (
	"testing"
	"time"

	"github.com/spf13/cobra"

	"aws-provider-executor/actions/providers"
	"aws-provider-executor/pkg/commands/helptest"
)

// TestEveryHelp fits a screen and ends with an example.
func TestEveryHelp(t *testing.T) {
	helptest.Tree(t, func() *cobra.Command {
		return (&Program{Now: time.Now, Registry: providers.Registry()}).Commands()
	}, nil)
}

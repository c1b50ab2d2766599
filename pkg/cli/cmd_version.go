package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/commands"
)

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "tell the version",
		Example: `  actionctl version
  actionctl version -o json`,
		Args: commands.NoArguments,
		RunE: func(*cobra.Command, []string) error {
			return a.print(
				map[string]string{"version": a.Version},
				func(w io.Writer) { fmt.Fprintln(w, "actionctl", a.Version) },
			)
		},
	}
}

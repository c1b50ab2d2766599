package program

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/commands"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/lifecycle"
)

// check checks the configuration and the policy.
func (a *app) check() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "check the configuration and the policy, and change nothing",
		Long: `check reads the configuration and the policy, and makes the plans of a launch in each zone.
It holds them against what executors take and the policy allows, and prints them. It asks nobody.`,
		Example: `  lifecycled check --config lifecycle.yaml --policy policy.yaml`,
		Args:    commands.NoArguments,
		RunE: func(*cobra.Command, []string) error {
			c, p, err := a.load()
			if err != nil {
				return err
			}
			g := &gate.Gate{Policy: p, Registry: a.Registry, Provider: lifecycle.ProviderAWS, Now: a.Now}
			checked := lifecycle.Check(c, g)
			data, err := json.MarshalIndent(checked, "", "  ")
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(a.stdout, "%s\n", data); err != nil {
				return err
			}
			if len(checked.Faults) > 0 {
				return exit(ExitRefused)
			}
			return nil
		},
	}
}

// schema prints the schema of the configuration.
func (a *app) schema() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "print the JSON Schema of the configuration",
		Long:    "schema prints the JSON Schema of the configuration, for editors.",
		Example: `  lifecycled schema > lifecycle.schema.json`,
		Args:    commands.NoArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.stdout.Write(lifecycle.Schema())
			return err
		},
	}
}

package cli

import (
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/schema"
)

func (a *app) schema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema [VERB|request|result]",
		Short: "print the JSON Schema of a request, of one verb's, or of a result",
		Long: "schema prints the JSON Schema of any request; with a verb, of its requests; with " +
			"result, of a result. They are those of what executors are sent: a request for a machine that " +
			"was added by hand is made by plan --nodes, and carried out by actionctl itself.",
		Example: `  actionctl schema > request.schema.json
  actionctl schema assign-secondary-ip`,
		Args: atMostOneVerb,
		ValidArgsFunction: func(
			c *cobra.Command, args []string, begun string,
		) ([]string, cobra.ShellCompDirective) {
			names, directive := a.completeVerb(c, args, begun)
			if len(args) == 0 {
				names = append(names, "request", "result")
			}
			return names, directive
		},
		RunE: func(_ *cobra.Command, args []string) error {
			text, ok := schema.Request(), true
			if len(args) == 1 {
				switch args[0] {
				case "request":
				case "result":
					text = schema.Result()
				default:
					text, ok = schema.Verb(args[0])
				}
			}
			if !ok {
				return usage("there is no schema %q%s; there are %s", args[0],
					protocol.Meant(args[0], schema.Names()...), strings.Join(schema.Names(), ", "))
			}
			if a.format == "yaml" {
				return a.printDocument(json.RawMessage(text))
			}
			_, err := a.stdout.Write(text)
			return err
		},
	}
}

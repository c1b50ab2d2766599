// Command generate writes the JSON Schemas and actions/README.md from the verbs'
// descriptors; with -check it only names what is stale.
package main

import (
	"os"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsexecutor"
	"aws-provider-executor/schema/internal/render"
)

func main() {
	verbs := actions.Registry()
	g := render.Generator{Registry: verbs, Provider: "aws",
		Inquiries: []action.Inquiry{awsexecutor.Preflight(verbs)}}
	os.Exit(g.Main(".", os.Args[1:], os.Stderr))
}

// Command generate writes the JSON Schemas and actions/README.md from the verbs'
// descriptors, and the code of services from their .proto; with -check it only names what is stale.
package main

import (
	"os"

	"aws-provider-executor/actions"
	"aws-provider-executor/actions/applianceverbs"
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsexecutor"
	"aws-provider-executor/schema/internal/render"
	"aws-provider-executor/schema/internal/rpc"
)

func main() {
	verbs := actions.Registry()
	g := render.Generator{Registry: verbs, Provider: "aws",
		Inquiries: []action.Inquiry{awsexecutor.Preflight(verbs)}, More: rpc.Files,
		Others: []render.Generator{{
			Registry: applianceverbs.Registry(), Provider: applianceverbs.Provider,
			Package: "actions/applianceverbs",
		}}}
	os.Exit(g.Main(".", os.Args[1:], os.Stderr))
}

// Command generate writes the JSON Schemas and actions/README.md from the verbs'
// descriptors; with -check it only names what is stale.
package main

import (
	"os"

	"aws-provider-executor/actions"
	"aws-provider-executor/schema/internal/render"
)

func main() {
	g := render.Generator{Registry: actions.Registry(), Provider: "aws"}
	os.Exit(g.Main(".", os.Args[1:], os.Stderr))
}

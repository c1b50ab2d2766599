package filter_test

import (
	"testing"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/filter"
)

// BenchmarkMatch holds one node against filters that it has.
func BenchmarkMatch(b *testing.B) {
	n := node(func(n *nodes.Node) { n.Name, n.Region = "web-0999", "us-west-2" },
		"Name", "web-0999", "env", "prod", "team", "t7")
	for _, text := range []string{
		"region=us-west-2", "name=web-0*9", "region=us-west*,tag:Name=web*,!tag:env=dev",
		"tag:Name=*9?9*",
	} {
		b.Run(text, func(b *testing.B) {
			f, err := filter.Parse([]string{text}, filter.Options{})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if !f.Match(n, nil) {
					b.Fatal("it has not")
				}
			}
		})
	}
}

package program

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/lifecycle"
	"aws-provider-executor/pkg/members"
	"aws-provider-executor/pkg/wildcard"
)

// printedMember is a member as it is printed.
type printedMember struct {
	Instance string `json:"instance"`
	Address  string `json:"address"`
	State    string `json:"state"`
	Missed   int    `json:"missed,omitempty"`
}

// printedPrimary is the primary as it is printed.
type printedPrimary struct {
	Instance  string `json:"instance"`
	Address   string `json:"address"`
	Epoch     int64  `json:"epoch"`
	Confirmed bool   `json:"confirmed"`
}

// printedGroup is a group with its members as it is printed.
type printedGroup struct {
	Group   string          `json:"group"`
	Account string          `json:"account"`
	Region  string          `json:"region"`
	Primary *printedPrimary `json:"primary"`
	Members []printedMember `json:"members"`
}

// members prints the members of a group.
func (a *app) members() *cobra.Command {
	return &cobra.Command{
		Use:   "members GROUP",
		Short: "print the members of a group, and its primary",
		Long: `members prints which instances are members of an Auto Scaling group, and which of them is
the primary, as the table has it. It changes nothing.`,
		Example: `  lifecycled members edge`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("members takes the name of one group; see %s --help", c.CommandPath())
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			configuration, _, err := a.load()
			if err != nil {
				return err
			}
			backend, _, err := a.state(c.Context(), configuration, true)
			if err != nil {
				return err
			}
			g := groupOf(configuration, args[0])
			if g == nil {
				return fmt.Errorf("the configuration has no group %q", args[0])
			}
			all, primary, err := members.New(backend, g.Account, g.Region, args[0]).Read(c.Context())
			if err != nil {
				return err
			}
			return a.printGroup(g, args[0], all, primary)
		},
	}
}

// groupOf is the group of a configuration that a name fits, nil for none.
func groupOf(c *lifecycle.Configuration, name string) *lifecycle.Group {
	for i := range c.Groups {
		if wildcard.Plain.Match(c.Groups[i].Name, name) {
			return &c.Groups[i]
		}
	}
	return nil
}

func (a *app) printGroup(
	g *lifecycle.Group, name string, all []members.Member, primary members.Primary,
) error {
	p := printedGroup{Group: name, Account: g.Account, Region: g.Region, Members: []printedMember{}}
	if primary.Instance != "" {
		p.Primary = &printedPrimary{primary.Instance, primary.Address, primary.Epoch, primary.Confirmed}
	}
	for _, m := range all {
		p.Members = append(p.Members, printedMember{m.Instance, m.Address, m.State, m.Missed})
	}
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s\n", data)
	return err
}

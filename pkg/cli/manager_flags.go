package cli

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"aws-provider-executor/pkg/nodes"
)

// managerFlags are what people say of a manager.
type managerFlags struct {
	kind, name, role, externalID, profile, secret string
	accounts, regions, excluded, credentials      []string
	interval                                      time.Duration
	revive                                        bool
}

func (f *managerFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.name, "name", "", "how people call it; no other manager has the `name`")
	flags.StringVar(&f.role, "role", "", "the `ARN` of a role to assume")
	flags.StringVar(&f.externalID, "external-id", "",
		"the `text` that the role's account wants to hear")
	flags.StringVar(&f.profile, "profile", "", "a `profile` of the shared configuration")
	flags.StringVar(&f.secret, "secret", "", "a `reference` to the keys to look with: file:/PATH, or "+
		"the ARN of a Secrets Manager secret or an SSM parameter; never the keys themselves")
	flags.StringSliceVar(&f.accounts, "accounts", nil,
		"the only `accounts` that it may look at, in Azure subscriptions; an identity of another "+
			"account is refused")
	flags.StringSliceVar(&f.regions, "regions", nil,
		"`patterns` of the regions or locations to look at, as us-*; default all that are enabled")
	flags.StringSliceVar(&f.excluded, "exclude-regions", nil, "`patterns` of regions to leave out")
	flags.StringArrayVar(&f.credentials, "credentials-by-tag", nil,
		"a `rule` for the nodes that have a tag, as KEY=PATTERN=REFERENCE; may be given several times")
	flags.DurationVar(&f.interval, "interval", 0,
		"how long after a scan the next one is due, for nodes watch")
	flags.BoolVar(&f.revive, "revive", false,
		"have terminated nodes live again that the cloud shows alive")
}

// apply has a manager be as the flags say that were given.
func (f *managerFlags) apply(m *nodes.Manager, given func(string) bool) error {
	for name, set := range map[string]func(){
		"name": func() { m.Name = f.name }, "accounts": func() { m.Accounts = f.accounts },
		"regions":         func() { m.Regions = f.regions },
		"exclude-regions": func() { m.ExcludedRegions = f.excluded },
		"interval":        func() { m.Interval = f.interval },
		"role":            func() { m.Access.RoleARN = f.role },
		"external-id":     func() { m.Access.ExternalID = f.externalID },
		"profile":         func() { m.Access.Profile = f.profile },
		"secret":          func() { m.Access.Secret = nodes.SecretRef(f.secret) },
	} {
		if given(name) {
			set()
		}
	}
	if err := m.Access.SetKind(); err != nil {
		return usage("%v", err)
	}
	if given("credentials-by-tag") {
		rules, err := credentialRules(f.credentials)
		if err != nil {
			return err
		}
		m.Credentials = rules
	}
	if err := m.Check(); err != nil {
		return usage("%v", err)
	}
	return nil
}

// credentialRules reads KEY=PATTERN=REFERENCE. Rules of one key and pattern are one.
// A single empty text is no rule.
func credentialRules(texts []string) ([]nodes.CredentialRule, error) {
	if slices.Equal(texts, []string{""}) {
		return nil, nil
	}
	var rules []nodes.CredentialRule
	for _, text := range texts {
		key, rest, _ := strings.Cut(text, "=")
		at := max(strings.LastIndex(rest, "=file:"), strings.LastIndex(rest, "=arn:"))
		if key == "" || at < 0 {
			// The text is not told: who has it wrong may have given a secret.
			return nil, usage("a rule is KEY=PATTERN=REFERENCE, as env=prod*=file:/etc/keys/prod; the " +
				"reference begins with file: or arn:")
		}
		pattern, ref := rest[:at], nodes.SecretRef(rest[at+1:])
		i := slices.IndexFunc(rules, func(r nodes.CredentialRule) bool {
			return r.Key == key && r.Value == pattern
		})
		if i < 0 {
			rules = append(rules, nodes.CredentialRule{Key: key, Value: pattern})
			i = len(rules) - 1
		}
		rules[i].Refs = append(rules[i].Refs, ref)
	}
	return rules, nil
}

// managerKinds are the types that a manager may be made of, each with what its nodes are. The one
// of manual nodes is there already.
func managerKinds() []string {
	var kinds []string
	for _, k := range nodes.ManagerTypes() {
		if what, ok := nodesOf[k]; ok {
			kinds = append(kinds, string(k)+" ("+what+")")
		}
	}
	return kinds
}

package action_test

import (
	"context"
	"fmt"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// light is a resource with a switch, and what verbs read it with and change it with.
type light struct{ on string }

func (l *light) Switch(context.Context) (string, error)       { return l.on, nil }
func (l *light) SetSwitch(_ context.Context, on string) error { l.on = on; return nil }

type reader interface {
	Switch(context.Context) (string, error)
}

type writer interface {
	SetSwitch(ctx context.Context, on string) error
}

// A verb is a descriptor and a function that only reads: what it plans is carried out by others.
func Example() {
	verb := action.Verb{
		Name: "switch-on",
		Target: []action.Field{
			{Name: "nicRef", Form: action.InterfaceID, Required: true, Decides: true, Doc: "the interface"},
		},
		Plan: action.PlanWith(func(
			ctx context.Context, r reader, req action.Request,
		) (*action.Plan, error) {
			now, err := r.Switch(ctx)
			if err != nil {
				return nil, err
			}
			return &action.Plan{
				Transitions: []action.Transition{{
					Resource: req.Target["nicRef"], Attribute: "switch", From: now, To: "on",
					Set: action.SetWith(func(ctx context.Context, w writer, _, to string) error {
						return w.SetSwitch(ctx, to)
					}),
				}},
				Words: action.Words{Would: "switch it on"},
			}, nil
		}),
	}
	verbs := action.NewRegistry([]action.Verb{verb})
	request, faults := verbs.Check(verb, protocol.Request{
		Action: "switch-on", Target: map[string]string{"nicRef": "eni-0123456789abcdef0"},
	})
	l := &light{on: "off"}
	plan, err := verb.Plan(context.Background(), l, request)
	if err != nil || len(faults) > 0 {
		fmt.Println(err, faults)
		return
	}
	t := plan.Transitions[0]
	fmt.Println("would", plan.Words.Would, "from", t.From)
	fmt.Println(t.Set(context.Background(), l, t.From, t.To), l.on)
	// Output:
	// would switch it on from off
	// <nil> on
}

// All faults of a request are named at once, and keys that are nearly a verb's.
func ExampleRegistry_Check() {
	plan := func(context.Context, any, action.Request) (*action.Plan, error) { return nil, nil }
	verb := action.Verb{Name: "switch-on", Plan: plan, Target: []action.Field{
		{Name: "nicRef", Form: action.InterfaceID, Required: true, Decides: true, Doc: "the interface"},
		{Name: "address", Form: action.HostIPv4, Doc: "the address"},
	}}
	verbs := action.NewRegistry([]action.Verb{verb})
	_, faults := verbs.Check(verb, protocol.Request{
		Action: "switch-on", Target: map[string]string{"address": "lab", "adress": "10.0.0.9"},
	})
	for _, f := range faults {
		fmt.Printf("%s: %s\n", f.Path, f.Reason)
	}
	// Output:
	// spec.target.nicRef: is required: the interface
	// spec.target.address: is "lab": want one IPv4 address, bare or as a /32
	// spec.target.adress: is no key of the target of switch-on; did you mean address?
}

func ExampleRegistry_Resources() {
	plan := func(context.Context, any, action.Request) (*action.Plan, error) { return nil, nil }
	verbs := action.NewRegistry([]action.Verb{{Name: "a", Plan: plan, Target: []action.Field{
		{Name: "nicRef", Form: action.InterfaceID}, {Name: "region", Form: action.Region},
	}}})
	fmt.Println(verbs.Resources(map[string]string{"nicRef": "eni-1", "region": "eu-west-1"}))
	// Output:
	// [{network-interface nicRef eni-1}]
}

package inventory

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func request(spec string) string {
	return `{"apiVersion":"` + APIVersion + `","kind":"` + RequestKind + `","spec":{` + spec + `}}`
}

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		name, spec string
		want       Request
	}{
		{"the least", `"provider":"aws"`, Request{}},
		{"all", `"provider":"aws","providerRef":"lab","strategy":"route-table",
			"selfNode":"n","pool":"p","prefix":"10.88.60.9/24","selfNicRef":"eni-01234567",
			"subnetRef":"subnet-01234567","routeTableRef":"rtb-01234567",
			"target":{"region":"eu-west-1","other":"x"},
			"selector":{"tags":{"Name":"a*","password":""}},"context":{"a":[1]}`,
			Request{ProviderRef: "lab", Region: "eu-west-1", ByRoute: true,
				Prefix: netip.MustParsePrefix("10.88.60.0/24"), NIC: "eni-01234567",
				Subnet: "subnet-01234567", Table: "rtb-01234567",
				Tags: map[string]string{"Name": "a*", "password": ""}}},
		{"by the names that actions have", `"provider":"aws","target":{"nicRef":"eni-01234567",` +
			`"subnetRef":"subnet-01234567","routeTableRef":"rtb-01234567","captureStrategy":"route-table"}`,
			Request{NIC: "eni-01234567", Subnet: "subnet-01234567", Table: "rtb-01234567", ByRoute: true}},
		{"in both places", `"provider":"aws","selfNicRef":"eni-01234567",` +
			`"target":{"nicRef":"eni-01234567"}`, Request{NIC: "eni-01234567"}},
		{"null is absent", `"provider":"aws","target":null,"selector":null`, Request{}},
		{"no tags", `"provider":"aws","selector":{"tags":null,"other":1}`, Request{}},
		{"another strategy", `"provider":"aws","strategy":"secondary-ip"`, Request{}},
		{"one address", `"provider":"aws","prefix":"2001:db8::9"`,
			Request{Prefix: netip.MustParsePrefix("2001:db8::9/128")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, faults := Decode(strings.NewReader(request(c.spec)), "aws")
			if len(faults) > 0 {
				t.Fatalf("refused: %v", faults)
			}
			same := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
			if diff := cmp.Diff(c.want, got, same, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestDecodeRefuses: each fault is named, and all of them at once.
func TestDecodeRefuses(t *testing.T) {
	for _, c := range []struct {
		name, text string
		says       []string
	}{
		{"an action's request", `{"apiVersion":"provideraction.routerd.net/v1alpha1",` +
			`"kind":"ExecuteActionRequest","spec":{"provider":"aws"}}`,
			[]string{"apiVersion: is", "kind: is"}},
		{"no spec", `{"apiVersion":"` + APIVersion + `","kind":"` + RequestKind + `"}`,
			[]string{"spec: is required"}},
		{"no JSON", "x", []string{"not one JSON document"}},
		{"a key twice", request(`"provider":"aws","provider":"aws"`), []string{"the key is there twice"}},
		{"a second document", request(`"provider":"aws"`) + "{}", []string{"not one JSON document"}},
		{"no provider", request(`"strategy":""`), []string{"spec.provider: is required"}},
		{"another provider", request(`"provider":"gcp"`),
			[]string{`spec.provider: is "gcp", want "aws"`}},
		{"a credential", request(`"provider":"aws","target":{"secretAccessKey":"x"}`),
			[]string{"spec.target.secretAccessKey: carries a credential"}},
		{"a selector of another type", request(`"provider":"aws","selector":"x"`),
			[]string{"spec.selector: is a string, want an object"}},
		{"a tag of another type", request(`"provider":"aws","selector":{"tags":{"a":1}}`),
			[]string{"spec.selector.tags.a: is a number"}},
		{"a target of another type", request(`"provider":"aws","target":[]`),
			[]string{"spec.target: is an array"}},
		{"two interfaces of its own",
			request(`"provider":"aws","selfNicRef":"eni-01234567","target":{"nicRef":"eni-76543210"}`),
			[]string{"spec.selfNicRef: is eni-01234567, and target.nicRef is eni-76543210"}},
		{"two strategies", request(
			`"provider":"aws","strategy":"secondary-ip","target":{"captureStrategy":"route-table"}`),
			[]string{"spec.strategy: is secondary-ip, and target.captureStrategy is route-table"}},
		{"no interface in target",
			request(`"provider":"aws","selfNicRef":"eni-01234567","target":{"nicRef":"x"}`),
			[]string{`spec.target.nicRef: is "x"`}},
		{"a tag without a key", request(`"provider":"aws","selector":{"tags":{"":"x"}}`),
			[]string{"spec.selector.tags: has a tag without a key"}},
		{"a mapped prefix", request(`"provider":"aws","prefix":"::ffff:10.88.60.0/120"`),
			[]string{"spec.prefix"}},
		{"a mapped address", request(`"provider":"aws","prefix":"::ffff:10.88.60.12"`),
			[]string{"spec.prefix"}},
		{"a zone", request(`"provider":"aws","prefix":"fe80::1%eth0"`), []string{"spec.prefix"}},
		{"a zone where no address is link-local", request(`"provider":"aws","prefix":"2001:db8::1%eth0"`),
			[]string{"spec.prefix"}},
		{"loopback", request(`"provider":"aws","prefix":"127.0.0.1"`),
			[]string{"spec.prefix: is \"127.0.0.1\": is a loopback address"}},
		{"multicast", request(`"provider":"aws","prefix":"224.0.0.0/4"`), []string{"spec.prefix"}},
		{"a strategy that is no name of one", request(`"provider":"aws","strategy":"route"`),
			[]string{"spec.strategy"}},
		{"several", request(`"provider":"aws","strategy":"route-tables"`), []string{"spec.strategy"}},
		{"a strategy nearly right", request(`"provider":"aws","strategy":"routeTable"`),
			[]string{"spec.strategy"}},
		{"all at once", request(`"provider":1,"prefix":"10.0.0.0/33","selfNicRef":"eni",` +
			`"subnetRef":"net","routeTableRef":"rtb","selfNode":1,"pool":[],"target":{"region":"tokyo"}`),
			[]string{"spec.provider", "spec.prefix", "spec.selfNicRef", "spec.subnetRef",
				"spec.routeTableRef", "spec.selfNode", "spec.pool", "spec.target.region"}},
		{"more tags than there can be",
			request(`"provider":"aws","selector":{"tags":{` + manyTags(51) + `}}`),
			[]string{"spec.selector.tags"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, faults := Decode(strings.NewReader(c.text), "aws")
			said := faults.Error()
			for _, want := range c.says {
				if strings.Count(said, want) != 1 {
					t.Errorf("%q is not said once in: %s", want, said)
				}
			}
			if len(faults) != len(c.says) {
				t.Errorf("%d faults, want %d: %s", len(faults), len(c.says), said)
			}
		})
	}
}

func manyTags(n int) string {
	tags := make([]string, n)
	for i := range tags {
		tags[i] = `"t` + strings.Repeat("x", i) + `":"v"`
	}
	return strings.Join(tags, ",")
}

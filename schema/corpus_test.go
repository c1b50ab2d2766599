package schema_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// request is one case of the corpus: a text, and what both the schemas and the
// binary have to say of it.
type request struct {
	name, verb, text string
	accepted         bool
	// beyond is refused for what a schema can't say, by the binary alone.
	beyond bool
}

// texts are texts of a form and texts that are not.
type texts struct{ good, bad []string }

// formTexts holds the boundaries of each form, by its name. A form that is not here is tried
// with its example only.
var formTexts = map[string]texts{
	action.InterfaceID.Name:     resourceIDTexts("eni"),
	action.InstanceID.Name:      resourceIDTexts("i"),
	action.RouteTableID.Name:    resourceIDTexts("rtb"),
	action.SecurityGroupID.Name: resourceIDTexts("sg"),
	action.SetOf(action.SecurityGroupID).Name: {
		good: []string{"sg-01234567", "sg-01234567,sg-89abcdef", "sg-89abcdef,sg-01234567,sg-89abcdef",
			"sg-0123456789abcdef0,sg-01234567"},
		bad: []string{
			" ", ",", "sg-01234567,", ",sg-01234567", "sg-01234567,,sg-89abcdef", "sg-01234567, sg-89abcdef",
			"sg-01234567 sg-89abcdef", "sg-01234567;sg-89abcdef",
			"sg-0123456", "sg-01234567,sg-xyz", "sg-01234567\n", "sg-01234567,\nsg-89abcdef", "01234567",
			"SG-01234567", "i-01234567", "web", "*", "none",
		},
	},
	action.Timestamp.Name: {
		good: []string{"1", "9", "1767603600", "99999999999"},
		bad: []string{" ", "0", "01", "-1", "+1", "1.0", "1e9", "999999999999", "1767603600 ",
			"1767603600\n", "2026-01-05T09:00:00Z", "now", "١", "0x10"},
	},
	action.Instant.Name: {
		good: []string{
			"2026-11-28T15:04:05Z", "2026-11-28T15:04:05.123456789Z", "2026-11-28T23:59:59.5+09:00",
			"0000-01-01T00:00:00-23:59",
			"9999-12-31T23:59:59Z", "2024-02-29T00:00:00Z", "2000-02-29T00:00:00Z", "2026-02-28T00:00:00Z",
			"2026-04-30T00:00:00Z",
		},
		bad: []string{
			" ", "2026-11-28", "2026-11-28 15:04:05Z", "2026-11-28T15:04:05", "2026-11-28t15:04:05Z",
			"2026-11-28T15:04:05z", "2026-11-28T15:04Z",
			"2026-11-28T24:00:00Z", "2026-11-28T5:04:05Z", "2026-11-28T15:60:05Z", "2026-11-28T15:04:60Z",
			"2026-11-28T15:04:05,5Z", "2026-11-28T15:04:05.Z",
			"2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-02-30T00:00:00Z", "2026-04-31T00:00:00Z",
			"2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
			"2026-11-00T00:00:00Z", "2026-11-28T15:04:05+24:00", "2026-11-28T15:04:05+0900",
			"26-11-28T15:04:05Z", "2026-11-28T15:04:05Z\n", "1795880800", "tomorrow",
		},
	},
	action.Region.Name: {
		good: []string{
			"ap-northeast-1", "us-gov-west-1", "us-iso-east-1", "us-isob-east-1", "eusc-de-east-1",
			"cn-north-1", "mx-central-1",
			"us-east-99", "ab-cd-0", "abcde-abcdefghijklmnopqrst-ab-cd-10",
		},
		bad: []string{
			"us-east", "us-east-", "us-east-1a", "us-east-100", "us-east--1", "-us-east-1", "useast1",
			"us_east_1", "US-EAST-1", "us-East-1",
			"us-east-1 ", " us-east-1", "us-east-1\n", "u-east-1", "abcdef-east-1", "us-e-1",
			"us-abcdefghijklmnopqrstu-1", "us-a-b-c-d-1",
			"us-aa-bb-cc-dd-1", "us-1-1", "us-east-١", "us-éast-1", "us-east-1/", "us-east-1.amazonaws.com",
			"aws-global", "*", "-", "1",
		},
	},
	action.HostIPv4.Name: {
		good: []string{
			"10.88.60.9", "10.88.60.9/32", "1.0.0.0", "1.0.0.0/32", "9.9.9.9", "10.0.0.0", "10.0.0.255",
			"10.255.255.255", "99.100.199.200",
			"100.64.0.1", "119.1.1.1", "120.1.1.1", "126.255.255.255", "128.0.0.0", "129.0.0.1", "130.0.0.1",
			"159.1.1.1", "160.1.1.1",
			"168.1.1.1", "169.0.0.1", "169.99.1.1", "169.199.1.1", "169.249.1.1", "169.250.1.1",
			"169.253.255.255", "169.255.0.0", "170.1.1.1",
			"172.16.0.1", "192.0.2.1", "192.168.0.1", "199.1.1.1", "200.1.1.1", "219.1.1.1", "220.1.1.1",
			"223.255.255.255", "223.255.255.255/32",
		},
		bad: []string{
			"0.0.0.0", "0.0.0.0/32", "0.1.2.3", "127.0.0.1", "127.0.0.1/32", "127.255.255.255",
			"169.254.0.0", "169.254.169.254",
			"169.254.169.254/32", "169.254.255.255", "224.0.0.0", "224.0.0.1", "239.255.255.255",
			"240.0.0.1", "255.255.255.254",
			"255.255.255.255", "255.255.255.255/32", "256.1.1.1", "300.1.1.1", "10.256.0.1", "10.0.256.1",
			"10.0.0.256", "10.0.0.999",
			"10.0.0.1000", "10.88.60.0/24", "10.88.60.9/24", "10.88.60.9/0", "10.88.60.9/31",
			"10.88.60.9/33", "10.88.60.9/320",
			"10.88.60.9/032", "10.88.60.9/", "10.88.60.9/32/32", "10.88.60.9/+32", "10.88.60.9/ 32",
			"10.88.60.9/٣٢", "/32", "/",
			"010.88.60.9", "10.088.60.9", "10.88.060.9", "10.88.60.09", "10.88.60.009", "10.88.60.00",
			"10.88.60", "10.88.60.9.1", "10.88.60.",
			".10.88.60.9", "10..60.9", "10.88.60.9.", "10,88,60,9", "10.88.60.9,10.88.60.10", "0x0a.88.60.9",
			"173554697", "10.88.60.-9",
			"+10.88.60.9", "10.88.60.1e1", " 10.88.60.9", "10.88.60.9 ", "10.88.60.9\n", "10.88.60.9\t",
			"10.88. 60.9", "10.88.60.9\u00a0",
			"10.88.60.9\x00", "１０.88.60.9", "10.88.60.٩", "10。88。60。9", "::", "::1", "::ffff:10.88.60.9",
			"::10.88.60.9", "fe80::1", "fe80::1%eth0",
			"10.88.60.9%eth0", "2001:db8::1", "2001:db8::1/128", "[10.88.60.9]", "10.88.60.9:80", "host",
			"ip-10-88-60-9", "*",
		},
	},
	action.HostAddress.Name: {
		good: []string{
			"10.88.60.9", "10.88.60.9/32", "223.255.255.255", "2001:db8::9", "2001:db8::9/128",
			"2001:DB8::A", "2001:db8:0:0:0:0:0:9", "2001:0db8::0009",
			"2001:db8::", "2000::", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fc00::1", "fdff::",
			"FD00:ec2::254", "2001:1:2:3:4:5:6::", "2001::1:2:3:4:5:6",
			"2001:1::2:3:4:5:6", "2001:1:2::3:4:5:6", "2001:1:2:3::4:5:6", "2001:1:2:3:4::5:6",
			"2001:1:2:3:4:5::6", "2001:1:2:3:4:5:6:7",
		},
		bad: []string{
			"0.0.0.0", "127.0.0.1", "169.254.169.254", "224.0.0.1", "10.88.60.0/24", "10.88.60.9/128", "::",
			"::1", "0:0:0:0:0:0:0:1", "::ffff:10.88.60.9", "::ffff:a58:3c09",
			"fe80::1", "fe80::1%eth0", "febf::1", "ff02::1", "64:ff9b::1", "1fff::1", "4000::1", "fbff::1",
			"fe00::1", "200::1", "02001::1", "2001:db8::/64", "2001:db8::9/64",
			"2001:db8::9/0128", "2001:db8::9/129", "2001:db8::9/", "2001:db8::9/128/128",
			"2001:db8::10.0.0.1", "2001:db8::9%1", "2001:db8:::9", "2001::db8::9", "2001:db8",
			"2001:1:2:3:4:5:6", "2001:1:2:3:4:5:6:7:8", "2001:1:2:3:4:5:6:7::", "2001::1:2:3:4:5:6:7",
			"2001:1:2:3:4:5::6:7", "2001:00db8::9", "2001:db8::g", "[2001:db8::9]",
			"2001:db8::9 ", " 2001:db8::9", "2001:db8::9\n", "2001:db8::٩", "２001:db8::9",
			"2001:db8::9,2001:db8::10", ":2001::1", "2001::1:", "10.88.60.9,2001:db8::9", "none",
		},
	},
	action.Destination.Name: {
		good: []string{
			"10.99.0.9", "10.99.0.9/32", "10.99.0.0/24", "10.99.0.9/24", "10.99.0.0/16", "100.68.0.18/18",
			"169.255.0.0/16", "2001:db8::9", "2001:db8::9/128", "2001:db8::/32",
			"2001:db8::9/64", "fd00::/99", "fd00::/100", "fd00::/119", "fd00::/120",
		},
		bad: []string{
			"0.0.0.0/0", "::/0", "10.0.0.0/8", "10.99.0.9/15", "10.99.0.9/1", "10.99.0.9/33",
			"10.99.0.9/032", "10.99.0.9/", "10.99.0.9/ 24", "10.99.0.9/+24", "10.99.0.9/2४",
			"127.0.0.0/16", "169.254.0.0/16", "224.0.0.0/16", "2001:db8::/31", "2001:db8::/0",
			"2001:db8::/129", "2001:db8::/200", "2001:db8::/064", "fe80::/64", "ff00::/32",
			"10.99.0.0/24,10.99.1.0/24", "10.99.0.0/24/24", "10.99.0.0/255.255.255.0", "pl-01234567", "none",
			"local", "*", "10.99/16", "2001:db8/32",
		},
	},
	action.Network.Name: {
		good: []string{
			"0.0.0.0/0", "::/0", "10.0.0.0/8", "10.88.60.9", "10.88.60.9/24", "1.0.0.0/8", "169.254.0.0/15",
			"2001:db8::9", "2001:db8::/32", "fc00::/7", "2001:db8::9/128",
		},
		bad: []string{
			"lab", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/", "10.0.0.0/8/8", "0.0.0.0", "0.0.0.0/1",
			"1.0.0.0/1", "10.0.0.1/0", "2001:db8::/6", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4",
			"240.0.0.0/4", "::", "::/1", "::1",
			"fe80::1%eth0", "2001:db8::1%eth0", "ff00::/8", "::ffff:10.88.60.0/120", "::ffff:10.88.60.12",
			"::ffff:a58:3c00/120", "2001:db8::/129", "2001:db8::/064", "10.0.0.0/8\n",
		},
	},
	action.RouteTarget.Name: {
		good: []string{
			"none", "local", "eni-01234567", "i-0123456789abcdef0", "igw-01234567", "vgw-01234567",
			"nat-01234567", "eigw-01234567", "pcx-01234567", "tgw-01234567", "lgw-01234567",
			"cagw-01234567", "vpce-01234567",
			"arn:aws:networkmanager::123456789012:core-network/core-network-01234567",
			"arn:aws-us-gov:odb:us-gov-west-1:123456789012:odb-network/odbnet_x-1",
		},
		bad: []string{
			" ", "None", "LOCAL", "nobody", "igw", "igw-", "igw-0123456", "IGW-01234567", "subnet-01234567",
			"rtb-01234567", "xi-01234567", "i-01234567 ", "i-01234567\n",
			"igw-01234567,igw-01234567", "arn:aws:ec2::123456789012:x", "arn:aws:odb::12345678901:x",
			"arn:aws:odb::1234567890123:x", "arn:aws:odb::123456789012:", "arn:aws:odb::123456789012",
			"arn:azure:odb::123456789012:x", "arn:AWS:odb::123456789012:x", "arn:aws:odb:EU:123456789012:x",
			"arn:aws:odb::123456789012:x:y", "arn:aws:odb::123456789012:é", "10.0.0.1", "*",
		},
	},
	action.Boolean.Name: {
		good: []string{"1", "0", "true", "True", "TRUE", "tRuE", "yes", "YES", "yEs", "on", "On", "oN",
			"false", "FALSE", "fAlSe", "no", "NO", "off", "oFf", "OFF"},
		bad: []string{
			" ", "t", "f", "y", "n", "2", "-1", "01", "00", "1.0", "true ", " true", "true\n", "truE\u0301",
			"truee", "yess", "enabled", "disabled",
			"null", "none", "nil", "undefined", "ON OFF", "on,off", "ｔrue", "ｏn", "１", "١", "оn", "oﬀ", "oﬃ",
		},
	},
	action.OnDrift.Form.Name: {
		good: []string{"fail", "restore"},
		bad: []string{" ", "Fail", "RESTORE", "fail ", " restore", "failrestore", "fail|restore",
			"fail,restore", "force", "restore\n", "rest", "true"},
	},
}

func resourceIDTexts(prefix string) texts {
	p := prefix + "-"
	return texts{
		good: []string{p + "01234567", p + "0123456789abcdef0", p + "ffffffff", p + "00000000000000000"},
		bad: []string{
			" ", prefix, p, p + "0", p + "0123456", p + "012345678", p + "0123456789abcdef",
			p + "0123456789abcdef01", p + "0123456789ABCDEF0",
			p + "0123456g", p + "0123 567", p + "０1234567", p + "٠1234567", " " + p + "01234567",
			p + "01234567 ", p + "01234567\n",
			p + "01234567\x00", strings.ToUpper(p) + "01234567", prefix + "_01234567", prefix + "01234567",
			p + "-1234567", p + "01234567," + p + "01234567",
			p + "01234567/", "arn:aws:ec2:us-east-1:1:x/" + p + "01234567", "vpc-01234567",
			"x" + p + "01234567", "*", "none", p + "éééé", "10.88.60.9",
		},
	}
}

// Keys that are the name of a credential, and keys that only look a little like one.
var (
	credentialKeys = []string{
		"accessKeyId", "AccessKeyID", "access_key_id", "ACCESS-KEY", "access key", "aws_access_key_id",
		"AWS_ACCESS_KEY_ID", "a.c.c.e.s.s.k.e.y",
		"secretAccessKey", "SecretAccessKey", "secret_access_key", "aws-secret-access-key", "secretKey",
		"secret\tkey", "secretAccess",
		"sessionToken", "session_token", "AWS_SESSION_TOKEN", "securityToken", "x-amz-security-token",
		"authToken", "X-Auth-Token", "bearerToken",
		"Bearer Token", "apiKey", "API_KEY", "x-api-key", "privateKey", "private_key_pem", "password",
		"PASSWORD", "Pass.Word", "dbPassword", "pass\u00a0word",
		"password2", "passwd", "db-passwd", "passphrase", "Pass Phrase", "credential", "credentials",
		"AWSCredentials", "credential_source",
		"secret", "SECRET", "s-e-c-r-e-t", " secret ", "«secret»", "token", "Token", "_token_",
		"token\n", "pass\nword",
	}
	plainKeys = []string{
		"", " ", "note", "mobilityLease", "nextHopIPAddress", "key", "keyId", "access", "accessLevel",
		"tokenBucket", "tokens", "secretary", "secret1",
		"pass", "word", "passw0rd", "pаssword", "pässword", "ｐａｓｓｗｏｒｄ", "ſecret", "to\u212aen",
		"interface0Sg", "a.b.c", "a\"b", "日本語", "vnicRef", "eniRef",
		"__proto__", "constructor", "\x00", strings.Repeat("k", 300),
	}

	// nearKeys are nearly keys of the first verb, wherever they are.
	nearKeys = []string{
		"NICREF", "nicref", "nic-ref", "nic_ref", "expectedHolder", "expected-holder-ref",
		"AllowReassignment",
		"allowReasignments",
	}
)

// tree is a request as JSON reads it.
type tree = map[string]any

// base is a request for the verb with what it requires and nothing else.
func base(v action.Verb) tree {
	given := func(fields []action.Field) tree {
		m := tree{}
		for _, f := range fields {
			if f.Required {
				m[f.Name] = f.Form.Example
			}
		}
		return m
	}
	return tree{"apiVersion": protocol.APIVersion, "kind": protocol.RequestKind, "spec": tree{
		"action": v.Name, "provider": "aws", "mode": "dry-run", "idempotencyKey": "k",
		"target": given(v.Target), "parameters": given(v.Parameters),
	}}
}

// full is a request for the verb with all it knows.
func full(v action.Verb) tree {
	r := base(v)
	spec := r["spec"].(tree)
	for name, fields := range groups(v) {
		for _, f := range fields {
			spec[name].(tree)[f.ExampleName()] = f.Form.Example
		}
	}
	spec["providerRef"] = "lab-aws"
	spec["context"] = tree{
		"resources": []any{tree{"apiVersion": "v1", "kind": "K", "name": "n", "spec": tree{}}}}
	return r
}

func groups(v action.Verb) map[string][]action.Field {
	return map[string][]action.Field{"target": v.Target, "parameters": v.Parameters}
}

// absent, as a value, takes the key away.
type absent struct{}

// set changes what is at a path, as in [spec target nicRef].
func set(r tree, value any, path ...string) tree {
	at := r
	for _, p := range path[:len(path)-1] {
		at = at[p].(tree)
	}
	last := path[len(path)-1]
	if _, away := value.(absent); away {
		delete(at, last)
	} else {
		at[last] = value
	}
	return r
}

func marshal(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// corpus returns every case.
func corpus() []request {
	var all []request
	for _, v := range requests() {
		c := cases{verb: v, all: &all}
		c.add("what is required", true, base(v))
		c.add("all it knows", true, full(v))
		c.add("executed", true, set(base(v), "execute", "spec", "mode"))
		for _, group := range []string{"target", "parameters"} {
			c.group(group)
			for _, f := range groups(v)[group] {
				c.field(group, f)
			}
		}
	}
	for _, v := range actions.Registry().Verbs() {
		if v.Choice != nil {
			cases{verb: v, all: &all}.choice()
		}
	}
	first := cases{verb: actions.Registry().Verbs()[0], all: &all}
	first.envelope()
	first.spec()
	first.keys()
	first.documents()
	return all
}

type cases struct {
	verb action.Verb
	all  *[]request
}

func (c cases) add(name string, accepted bool, r any) {
	*c.all = append(*c.all, request{
		name: c.verb.Name + "/" + name, verb: c.verb.Name, text: marshal(r), accepted: accepted,
	})
}

// put tries values at one path.
func (c cases) put(accepted bool, path []string, values ...any) {
	for _, value := range values {
		text := fmt.Sprintf("%#v", value)
		if len(text) > 60 {
			text = text[:60] + "…"
		}
		c.add(strings.Join(path, ".")+"="+text, accepted, set(base(c.verb), value, path...))
	}
}

// notText are the wrong types for a text.
func notText() []any {
	return []any{nil, true, false, 0, 1, -1.5, []any{}, []any{"a"}, tree{}, tree{"a": "b"}}
}

func (c cases) group(group string) {
	needed := slices.ContainsFunc(groups(c.verb)[group], func(f action.Field) bool {
		return f.Required
	})
	path := []string{"spec", group}
	c.put(!needed, path, absent{}, nil, tree{})
	c.put(false, path, "", "text", 0, true, []any{}, []any{tree{}})
	c.put(false, append(path, "unknown"), notText()...)
	c.put(true, append(path, "unknown"), "", " ", "text", "\x00", "日本語")
	c.put(false, append(path, "password"), "", "x", nil)
}

func (c cases) field(group string, f action.Field) {
	path := []string{"spec", group, f.ExampleName()}
	c.put(!f.Required, path, absent{})
	c.put(!f.Required && f.Form.Name != action.Boolean.Name, path, "")
	c.put(true, path, f.Form.Example)
	c.put(false, path, notText()...)
	known, ok := formTexts[f.Form.Name]
	if !ok {
		return
	}
	for _, text := range known.good {
		c.put(true, path, text)
	}
	for _, text := range known.bad {
		c.put(false, path, text)
	}
}

// choice sends a request to the verb that its target chooses, and others that do not.
func (c cases) choice() {
	other, _ := actions.Registry().Lookup(c.verb.Choice.Verb)
	field := []string{"spec", "target", c.verb.Choice.Field}
	c.put(true, field, absent{}, "", " ", "secondary-ip", "route", "route-tables", "other",
		"rоute-table")
	c.put(
		false, field, append(notText(), "routetable", "ROUTE-TABLE", "Route Table", "route_table",
			" route-table", "route-table\n")...)
	c.put(false, field, c.verb.Choice.Value) // the other verb's fields are not there
	for name, r := range map[string]tree{"what is required": base(other),
		"all it knows": full(other)} {
		c.add("the chosen verb, "+name, true,
			set(set(r, c.verb.Name, "spec", "action"), c.verb.Choice.Value, field...))
	}
	for _, f := range other.Target {
		if f.Required {
			r := set(set(base(other), c.verb.Name, "spec", "action"), c.verb.Choice.Value, field...)
			c.add("the chosen verb, without "+f.Name, false, set(r, absent{}, "spec", "target", f.Name))
		}
	}
}

func (c cases) envelope() {
	for _, key := range []string{"apiVersion", "kind"} {
		c.put(false, []string{key}, append(notText(), absent{}, "", " ", "other")...)
	}
	c.put(false, []string{"apiVersion"}, "provideraction.routerd.net/v1alpha2",
		"provideraction.routerd.net/v1", "v1alpha1", protocol.APIVersion+" ",
		strings.ToUpper(protocol.APIVersion))
	c.put(false, []string{"kind"}, protocol.ResultKind, "executeactionrequest",
		protocol.RequestKind+"\n")
	c.put(false, []string{"spec"}, absent{}, nil, "", "text", 0, true, []any{}, tree{})
	c.put(true, []string{"unknown"}, notText()...)
	c.put(true, []string{"APIVERSION"}, "other")
	c.add("another case of the keys", false,
		tree{"APIVersion": protocol.APIVersion, "Kind": protocol.RequestKind,
			"Spec": base(c.verb)["spec"]})
}

// blanks are what Go takes for white space; U+FEFF, U+200B and U+180E it does not.
var blanks = []any{"", " ", "  ", "\t", "\n", "\r\n", "\v", "\f", "\u0085", "\u00a0", "\u1680",
	"\u2000", "\u2007", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", " \t\u3000\n"}

func (c cases) spec() {
	at := func(key string) []string { return []string{"spec", key} }
	for _, key := range []string{"action", "provider", "mode", "idempotencyKey"} {
		c.put(false, at(key), slices.Concat(notText(), blanks, []any{absent{}})...)
	}
	c.put(false, at("action"), "no-such-verb", c.verb.Name+" ", strings.ToUpper(c.verb.Name),
		"assign-secondary", "*")
	c.put(false, at("provider"), "gcp", "azure", "AWS", "aws ", " aws", "aws-cn")
	c.put(false, at("mode"), "dryrun", "Dry-Run", "dry-run ", "EXECUTE", "executed", "plan",
		"dry-run\n")
	c.put(true, at("mode"), "dry-run", "execute")
	c.put(true, at("idempotencyKey"), "k", " k ", "0", "mobility-7/assign", "k:undo", ":undo",
		"\ufeff", "\u200b", "\u180e", "\x00", "🚦", strings.Repeat("k", 10000), "\u3000x")
	c.put(true, at("providerRef"), absent{}, "", " ", "lab-aws")
	c.put(false, at("providerRef"), notText()...)
	c.put(true, at("context"), append(notText(), absent{}, "text", tree{"password": "x"})...)
	c.put(true, at("unknown"), notText()...)
	c.put(true, at("Mode"), "other")
	c.put(true, at("password"), "x")
}

func (c cases) keys() {
	for _, group := range []string{"target", "parameters"} {
		for _, key := range credentialKeys {
			c.put(false, []string{"spec", group, key}, "x")
		}
		for _, key := range plainKeys {
			c.put(true, []string{"spec", group, key}, "x")
		}
		before := len(*c.all)
		for _, key := range nearKeys {
			c.put(false, []string{"spec", group, key}, "x")
		}
		for i := range (*c.all)[before:] {
			(*c.all)[before+i].beyond = true
		}
	}
}

// documents are whole texts, whose fault is not in a field.
func (c cases) documents() {
	good := marshal(base(c.verb))
	inside := func(more string) string { return strings.TrimSuffix(good, "}") + "," + more + "}" }
	deep := func(n int) string { return `"deep":` + strings.Repeat("[", n) + strings.Repeat("]", n) }
	pad := func(size int) string { return good + strings.Repeat(" ", size-len(good)) }
	for name, text := range map[string]string{
		"indented":                  strings.ReplaceAll(good, ",", ",\n\t "),
		"space around":              " \r\n\t" + good + "\n\n",
		"nested as deep as allowed": inside(deep(protocol.MaxRequestDepth - 1)),
		"as large as allowed":       pad(protocol.MaxRequestBytes),
		"huge numbers":              inside(`"n":[1e999999,-0.0,123456789012345678901234567890]`),
		"escapes":                   strings.Replace(good, `"aws"`, `"\u0061\u0077s"`, 1),
		"an escaped pair":           inside(`"t":"\ud83d\udea6"`),
		"an escaped backslash":      inside(`"t":"\\ud83d"`),
		"same key, other object":    inside(`"a":{"b":1},"c":{"b":1}`),
	} {
		*c.all = append(*c.all,
			request{name: "document/" + name, verb: c.verb.Name, text: text, accepted: true})
	}
	for _, text := range []string{"null", "true", "0", `""`, "[]", "[" + good + "]", "{}",
		`{"spec":{}}`} {
		*c.all = append(*c.all,
			request{name: "document/" + text[:min(len(text), 12)], verb: c.verb.Name, text: text})
	}
	for name, text := range map[string]string{
		"empty":                   "",
		"white space":             " \n\t",
		"a byte order mark":       "\ufeff" + good,
		"cut off":                 good[:len(good)-1],
		"no JSON":                 "action: assign",
		"a second document":       good + good,
		"trailing bytes":          good + "x",
		"a trailing NUL":          good + "\x00",
		"a comment":               "/* x */" + good,
		"a trailing comma":        strings.TrimSuffix(good, "}") + ",}",
		"single quotes":           strings.ReplaceAll(good, `"`, `'`),
		"a raw newline in a text": inside("\"t\":\"a\nb\""),
		"NaN":                     inside(`"n":NaN`),
		"leading zero":            inside(`"n":01`),
		"invalid UTF-8":           inside("\"t\":\"\xff\""),
		"invalid UTF-8 in a key":  inside("\"\xc3\":1"),
		"an overlong encoding":    inside("\"t\":\"\xc0\xaf\""),
		"a surrogate as UTF-8":    inside("\"t\":\"\xed\xa0\x80\""),
		"half a pair":             inside(`"t":"\ud83d"`),
		"the other half":          inside(`"t":"\udea6"`),
		"halves the wrong way":    inside(`"t":"\udea6\ud83d"`),
		"half a pair as a key":    inside(`"\ud83d":1`),
		"kind twice":              inside(`"kind":"` + protocol.RequestKind + `"`),
		"kind twice, escaped":     inside(`"\u006bind":"` + protocol.RequestKind + `"`),
		"an unknown key twice":    inside(`"a":1,"a":1`),
		"a key twice, deep":       inside(`"a":[{"b":{"c":1,"c":2}}]`),
		"the empty key twice":     inside(`"":1,"":1`),
		"nested too deep":         inside(deep(protocol.MaxRequestDepth)),
		"nested far too deep":     inside(deep(20000)),
		"too large":               pad(protocol.MaxRequestBytes + 1),
		"far too large":           pad(4 * protocol.MaxRequestBytes),
	} {
		*c.all = append(*c.all,
			request{name: "document/" + name, verb: c.verb.Name, text: text, beyond: true})
	}
}

func TestCorpusNamesAreUnique(t *testing.T) {
	seen := map[string]string{}
	for _, r := range corpus() {
		if other, twice := seen[r.name]; twice && other != r.text {
			t.Errorf("%s is there twice, with different texts", r.name)
		}
		seen[r.name] = r.text
	}
	t.Logf("%d requests", len(seen))
	for _, name := range slices.Sorted(maps.Keys(formTexts)) {
		if len(formTexts[name].good) == 0 || len(formTexts[name].bad) == 0 {
			t.Errorf("%s has no texts", name)
		}
	}
}

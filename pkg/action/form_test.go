package action

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// forms are all that there are, and lists of them.
func forms() []Form {
	all := []Form{InterfaceID, InstanceID, RouteTableID, SubnetID, Region, HostIPv4, HostAddress,
		Destination, Network, RouteTarget, Boolean, Text, Instant, SecurityGroupID, Timestamp,
		ResourceTag, DeviceIndex, DocumentName, DocumentVersion, ParameterName, Bucket, KeyPrefix,
		DeliverySeconds, Digit, OnDrift.Form, OneOf("one"),
		OneOf("a", "ab", "b")}
	for _, f := range slices.Clone(all) {
		all = append(all, ListOf(f))
	}
	return all
}

func TestCanonical(t *testing.T) {
	for _, c := range []struct {
		form Form
		// same are texts that are canonical; other are spelt another way inside.
		same  []string
		other map[string]string
		bad   []string
	}{
		{
			form: InterfaceID,
			same: []string{"eni-01234567", "eni-0123456789abcdef0"},
			bad: []string{"", "eni-", "eni-0123456", "eni-012345678", "eni-0123456789abcdef01",
				"eni-0123456G", "ENI-01234567", "i-01234567", " eni-01234567", "eni-01234567\n"},
		},
		{form: InstanceID, same: []string{"i-01234567", "i-0123456789abcdef0"},
			bad: []string{"i01234567", "mi-01234567", "eni-01234567"}},
		{form: RouteTableID, same: []string{"rtb-01234567"}, bad: []string{"rtb", "rtbassoc-01234567"}},
		{
			form: Region,
			same: []string{"us-east-1", "us-gov-west-1", "ap-southeast-10"},
			bad: []string{"", "us-east", "us-east-1a", "US-EAST-1", "us-east-1 ", "us--1", "a-east-1",
				"us-east-100", "us-a-b-c-1", "us-east-1-2", "abcdef-east-1"},
		},
		{
			form: HostIPv4,
			same: []string{"10.88.60.9", "1.0.0.0", "223.255.255.255", "169.253.1.1", "169.255.1.1",
				"126.0.0.1", "128.0.0.1"},
			other: map[string]string{"10.88.60.9/32": "10.88.60.9"},
			bad: []string{
				"", "0.0.0.0", "0.1.2.3", "127.0.0.1", "169.254.1.1", "224.0.0.1", "240.0.0.1",
				"255.255.255.255", "10.0.0.0/24", "10.0.0.1/", "10.0.0.1/032",
				"010.0.0.1", "10.0.0.256", "10.0.0", "::1", "::ffff:10.0.0.1", " 10.0.0.1", "10.0.0.1\n",
				"١0.0.0.1", "10.0.0.1/32/32",
			},
		},
		{
			form: HostAddress,
			same: []string{"10.88.60.9", "2001:db8::9", "fd00::1", "fc00:1:2:3:4:5:6:7", "3fff::",
				"2001:db8:1:2:3:4:5:0"},
			other: map[string]string{
				"10.88.60.9/32": "10.88.60.9", "2001:db8::9/128": "2001:db8::9",
				"2001:DB8:0:0:0:0:0:9": "2001:db8::9", "2001:0db8::0009": "2001:db8::9",
				"2001:db8:0:1:1:1:1:1": "2001:db8:0:1:1:1:1:1", "2001:1:2:3:4:5::7": "2001:1:2:3:4:5:0:7",
				"2001:1:2:3:4:5:6::": "2001:1:2:3:4:5:6:0",
				"2001::1:2:3:4:5:6":  "2001:0:1:2:3:4:5:6",
				"2001:1::2:3:4:5:6":  "2001:1:0:2:3:4:5:6", "2001:1::2": "2001:1::2",
				"2001:1:2::3:4:5:6": "2001:1:2:0:3:4:5:6", "2001:1:2::3": "2001:1:2::3",
				"2001:1:2:3::4:5:6": "2001:1:2:3:0:4:5:6", "2001:1:2:3::4": "2001:1:2:3::4",
				"2001:1:2:3:4::5:6": "2001:1:2:3:4:0:5:6", "2001:1:2:3:4::5": "2001:1:2:3:4::5",
				"2001:1:2:3:4:5::6": "2001:1:2:3:4:5:0:6",
			},
			bad: []string{
				"", "10.88.60.0/24", "2001:db8::/64", "2001:db8::9/32", "2001:db8::9/0128", "10.88.60.9/128",
				"::", "::1", "0::1", "fe80::1", "ff02::1", "64:ff9b::1",
				"4000::1", "::ffff:10.0.0.1", "::ffff:a00:1", "2001:db8::10.0.0.1", "2001:db8::9%eth0",
				"2001:db8:::9", "2001::db8::9", "2001:db8", "2001:db8:1:2:3:4:5:6:7",
				"2001:db8:1:2:3:4:5::6", "02001::1", "200::1", "2001:00db8::1", "[2001:db8::9]",
				"2001:db8::9/128/128", "2001:db8::g",
			},
		},
		{
			form: Destination,
			same: []string{"10.88.60.9/32", "10.88.60.0/24", "10.88.0.0/16", "2001:db8::9/128",
				"2001:db8::/32"},
			other: map[string]string{
				"10.88.60.9": "10.88.60.9/32", "100.68.0.18/18": "100.68.0.0/18",
				"2001:DB8::9": "2001:db8::9/128", "2001:db8::9/64": "2001:db8::/64",
				"169.255.255.1/16": "169.255.0.0/16",
			},
			bad: []string{
				"", "0.0.0.0/0", "::/0", "10.88.60.9/0", "10.0.0.0/8", "10.0.0.0/15", "10.0.0.0/33",
				"10.0.0.0/024", "10.0.0.0/ 24", "10.0.0.0/", "127.0.0.1", "169.254.0.0/16",
				"2001:db8::/31", "2001:db8::/129", "fe80::/64", "2001:db8::/+64", "pl-01234567",
				"10.0.0.0/24/24",
			},
		},
		{
			form: Network,
			same: []string{"0.0.0.0/0", "::/0", "10.0.0.0/8", "10.88.60.0/24", "10.88.60.9/32", "1.0.0.0/8",
				"169.254.0.0/15", "2001:db8::/32", "fc00::/7", "2001:db8::9/128"},
			other: map[string]string{
				"10.88.60.9": "10.88.60.9/32", "10.88.60.9/24": "10.88.60.0/24",
				"2001:DB8::9": "2001:db8::9/128", "2001:db8::9/64": "2001:db8::/64",
				"169.255.0.0/15": "169.254.0.0/15", "169.254.0.0/8": "169.0.0.0/8",
				"fd00::/7": "fc00::/7",
			},
			bad: []string{
				"", "lab", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/8/8", "0.0.0.0",
				"0.0.0.0/1", "0.0.0.0/8", "1.0.0.0/1", "2.0.0.0/7", "10.0.0.1/0", "2001:db8::/6",
				"169.254.0.0/33", "127.0.0.1", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4",
				"240.0.0.0/4", "::", "::/1", "::1", "fe80::/10", "fe80::1%eth0", "2001:db8::1%eth0", "ff00::/8",
				"::ffff:10.88.60.0/120", "::ffff:10.88.60.12", "::ffff:a58:3c00/120", "2001:db8::/129",
			},
		},
		{
			form: RouteTarget,
			same: []string{
				"none", "local", "eni-01234567", "i-01234567", "igw-01234567", "vgw-01234567",
				"nat-0123456789abcdef0", "eigw-01234567", "pcx-01234567", "tgw-01234567",
				"lgw-01234567", "cagw-01234567", "vpce-01234567",
				"arn:aws:networkmanager::123456789012:core-network/core-network-0123",
				"arn:aws-cn:odb:cn-north-1:123456789012:odb-network/odbnet_x",
			},
			bad: []string{
				"", "None", "nobody", "eni", "eni-", "subnet-01234567", "eni-01234567,eni-01234567",
				"eni-0123456G", "arn:aws:ec2::123456789012:x", "arn:aws:odb::1:x",
				"arn:aws:odb::12345678901x:x", "arm:aws:odb::123456789012:x", "arn:awsX:odb::123456789012:x",
				"arn:aws:odb::123456789012:",
				"arn:gcp:odb::123456789012:x", "arn:aws:odb:EU:123456789012:x", "arn:aws:odb::123456789012:x y",
				"arn:aws:odb::123456789012:x:y", "none ", "local\n",
			},
		},
		{
			form: Boolean,
			same: []string{"true", "false"},
			other: map[string]string{"1": "true", "yes": "true", "ON": "true", "True": "true", "0": "false",
				"No": "false", "oFF": "false", "FALSE": "false"},
			bad: []string{"", " ", "t", "2", "true ", "enabled", "тrue"},
		},
		{form: Text, same: []string{"", " ", "a,b", "\x00\n"}},
		{
			form: Instant,
			same: []string{"2026-11-28T15:04:05Z", "2024-02-29T00:00:00.123456789+09:30",
				"2026-11-28T23:59:59-23:59"},
			bad: []string{"", "2026-11-28", "2026-11-28T15:04:05", "2026-11-28 15:04:05Z",
				"2026-11-28T15:04:05z", "2026-11-28T15:04:05.Z", "2026-11-28T15:04:05+0900",
				"2026-11-28T15:04:05+9:00", "2026-11-28T15:04:05+24:00", "2026-11-28T15:04:05+09:60",
				"2026-11-28T15:04:05+99:99", "2026-11-28T24:00:00Z", "2025-02-29T00:00:00Z",
				"2026-11-28T15:04:05Z\n", "2026-1-28T15:04:05Z"},
		},
		{form: Timestamp, same: []string{"1", "1767603600", "99999999999"},
			bad: []string{"", "0", "01", "100000000000", "-1", "+1", "1.5", " 1", "1\n"}},
		{
			form: ResourceTag,
			same: []string{"lab=smoke", "k=", "a b=c=d", "Z.9:/_+@-=Z.9:/_+@-",
				strings.Repeat("k", 128) + "=" + strings.Repeat("v", 256)},
			bad: []string{"", "lab", "=smoke", "ключ=v", "k=é", "k;=v", "k=v\n", "k=v;w",
				strings.Repeat("k", 129) + "=v", "k=" + strings.Repeat("v", 257)},
		},
		{form: DeviceIndex, same: []string{"0", "9", "10", "15"},
			bad: []string{"", "16", "-1", "+1", "00", "1 ", "x"}},
		{
			form: DocumentName,
			same: []string{"AWS-RunShellScript", "a_b", strings.Repeat("a", 128),
				"arn:aws:ssm:eu-west-1:123456789012:document/my.doc"},
			bad: []string{"", "ab", strings.Repeat("a", 129), "a b c", "abc\n", "a*c"},
		},
		{form: DocumentVersion, same: []string{"1", "999999999", "$LATEST", "$DEFAULT"},
			bad: []string{"", "0", "01", "-1", "1000000000", "$latest", "LATEST", "1 "}},
		{form: ParameterName, same: []string{"a", "commands_2-A", strings.Repeat("x", 64)},
			bad: []string{"", "a b", "a.b", "a\n", strings.Repeat("x", 65)}},
		{form: Bucket, same: []string{"abc", "0.a-9", strings.Repeat("a", 63)},
			bad: []string{"", "ab", "Abc", "-abc", "abc-", ".abc", "abc.", "a_b", strings.Repeat("a", 64)}},
		{form: KeyPrefix, same: []string{"/", "a_b.c=d/e-F9", strings.Repeat("a", 500)},
			bad: []string{"", "a b", "a\n", "a*", strings.Repeat("a", 501)}},
		{
			form: DeliverySeconds,
			same: []string{"30", "99", "100", "999999", "1000000", "1999999", "2499999", "2589999",
				"2591999", "2592000"},
			bad: []string{"", "29", "030", "2592001", "2600000", "10000000", "-30", "60s"},
		},
		{form: Digit, same: []string{"0", "2", "9"}, bad: []string{"", "10", "-1", "00", "x", "1\n"}},
		{form: SetOf(SecurityGroupID), same: []string{"sg-01234567", "sg-01234567,sg-89abcdef"},
			other: map[string]string{
				"sg-89abcdef,sg-01234567,sg-89abcdef": "sg-01234567,sg-89abcdef"},
			bad: []string{"", "sg-01234567,", "sg-01234567, sg-89abcdef", "eni-01234567"}},
		{form: OneOf("fail", "restore"), same: []string{"fail", "restore"},
			bad: []string{"", "Fail", "fail,restore", "fail|restore", "restore "}},
		{
			form:  ListOf(HostIPv4),
			same:  []string{"10.0.0.1", "10.0.0.1,10.0.0.2", "10.0.0.1,10.0.0.1"},
			other: map[string]string{"10.0.0.1/32,10.0.0.2": "10.0.0.1,10.0.0.2"},
			bad: []string{"", ",", "10.0.0.1,", ",10.0.0.1", "10.0.0.1, 10.0.0.2", "10.0.0.1,,10.0.0.2",
				"10.0.0.1 10.0.0.2", "10.0.0.1,x"},
		},
		{form: ListOf(InterfaceID), same: []string{"eni-01234567,eni-0123456789abcdef0"},
			bad: []string{"eni-01234567;eni-01234567", "eni-01234567,i-01234567"}},
		{form: ListOf(OneOf("a", "ab")), same: []string{"a", "ab", "a,ab,a"},
			bad: []string{"aab", "a,b", ""}},
		{form: ListOf(Text), same: []string{"", "a", ",", "a, b,,c"}},
		{
			form: TagKey,
			same: []string{"role", "a", "aw", "aws", "AWS", "a:b", "awsx", "as:", "w:", "Name tag",
				"_.:/+=@-", strings.Repeat("k", 128), "aws" + strings.Repeat("k", 125)},
			bad: []string{"", "aws:", "aws:x", "AwS:x", "é", "a\n", "a,b", strings.Repeat("k", 129),
				"aws" + strings.Repeat("k", 126), "a" + strings.Repeat("k", 128)},
		},
		{
			form: FoundTag,
			same: []string{"absent", `""`, `"a"`, `"a\"b"`, `"absent"`},
			bad:  []string{"", `"`, "a", "Absent", `"a`, `a"`, "\"a\nb\"", "absent\n"},
		},
		{
			form: MadeToken,
			same: []string{strings.Repeat("0f", 16)},
			bad:  []string{"", strings.Repeat("0", 31), strings.Repeat("0", 33), strings.Repeat("G", 32)},
		},
		{
			form: Zone,
			same: []string{"ap-northeast-1a", "us-east-1-bos-1a"},
			bad:  []string{"", "a", "ap-northeast-1", "Ap-northeast-1a", "ap_northeast_1a"},
		},
		{
			form: Taggable,
			same: []string{"eni-01234567", "i-0123456789abcdef0", "eipalloc-01234567"},
			bad:  []string{"", "sg-01234567", "eipalloc-0", "eni-0123456G", "ami-01234567"},
		},
	} {
		t.Run(c.form.Name, func(t *testing.T) {
			want := map[string]string{}
			for _, s := range c.same {
				want[s] = s
			}
			for s, w := range c.other {
				want[s] = w
			}
			pattern := regexp.MustCompile(c.form.Pattern)
			for s, w := range want {
				got, err := c.form.Canonical(s)
				if err != nil || got != w || !pattern.MatchString(s) {
					t.Errorf("%q: %q, %v, pattern %t; want %q", s, got, err, pattern.MatchString(s), w)
				}
			}
			for _, s := range c.bad {
				got, err := c.form.Canonical(s)
				if err == nil || got != "" || pattern.MatchString(s) {
					t.Errorf("%q: %q, %v, pattern %t; want it refused", s, got, err, pattern.MatchString(s))
				}
			}
		})
	}
}

// TestFormErrorsSayWhatWouldBeRight: each names what is wanted, in one line, without
// repeating the text.
func TestFormErrorsSayWhatWouldBeRight(t *testing.T) {
	for _, c := range []struct {
		form       Form
		text, want string
	}{
		{InterfaceID, "eth0", "want eni- and 8 or 17 lower-case hexadecimal digits"},
		{Region, "tokyo", "want a region's name, as in ap-northeast-1"},
		{HostIPv4, "host", "want one IPv4 address, bare or as a /32"},
		{HostIPv4, "::1", "want one IPv4 address, bare or as a /32"},
		{HostIPv4, "10.0.0.0/24", "is a network, want one IPv4 address, bare or as a /32"},
		{HostIPv4, "0.0.0.0", "is the unspecified address, want an interface's address"},
		{HostIPv4, "127.0.0.1", "is a loopback address, want an interface's address"},
		{HostIPv4, "169.254.169.254", "is a link-local address, want an interface's address"},
		{HostIPv4, "224.0.0.1/32", "is a multicast address, want an interface's address"},
		{HostIPv4, "255.255.255.255", "is in a reserved range, want an interface's address"},
		{HostIPv4, "0.1.2.3", "is in a reserved range, want an interface's address"},
		{HostAddress, "host", "want one IP address, bare, as a /32 or as a /128"},
		{HostAddress, "2001:db8::/64", "is a network, want one IP address, bare, as a /32 or as a /128"},
		{HostAddress, "fe80::1", "is a link-local address, want an interface's address"},
		{HostAddress, "4000::1", "is in a reserved range, want an interface's address"},
		{Destination, "host", "want an IP address or a network"},
		{Destination, "10.0.0.0/8", "want a network from /16 to /32, or one address"},
		{Destination, "2001:db8::/16", "want a network from /32 to /128, or one address"},
		{Destination, "0.0.0.0/0", "is the unspecified address, want an interface's address"},
		{Network, "lab", "want a network, as in 10.88.60.0/24, or one address"},
		{Network, "1.0.0.0/7", "want a network from /8 to /32, or one address"},
		{Network, "fc00::/6", "want a network from /7 to /128, or one address"},
		{Network, "169.254.0.0/16", "is a link-local address, want an interface's address"},
		{RouteTarget, "nobody", "want the id or the ARN of a route's target, local, or none"},
		{Boolean, "maybe", "want a boolean: 1, true, yes, on, or 0, false, no, off"},
		{OneOf("fail", "restore"), "x", "want one of fail, restore"},
		{ListOf(InterfaceID), "eni-01234567,eth0", "want eni- and 8 or 17 lower-case hexadecimal digits"},
	} {
		_, err := c.form.Canonical(c.text)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s %q: %v, want %s", c.form.Name, c.text, err, c.want)
		}
	}
}

func TestExamplesAreOfTheirForm(t *testing.T) {
	for _, f := range forms() {
		if _, err := f.Canonical(f.Example); err != nil || f.Name == "" || f.Example == "" {
			t.Errorf("%s: %q: %v", f.Name, f.Example, err)
		}
	}
}

// FuzzForms holds every form to its pattern, and its one spelling to being one.
func FuzzForms(f *testing.F) {
	for _, form := range forms() {
		f.Add(form.Example)
		f.Add(form.Example + ",")
		f.Add(form.Example + "\n")
	}
	for _, text := range []string{
		"", " ", "0.0.0.0", "255.255.255.255", "169.254.0.1", "127.1.2.3", "10.0.0.1/32", "10.0.0.0/24",
		"010.0.0.1", "::ffff:1.2.3.4", "1.2.3.4%eth0",
		"eni-0123456G", "i-01234567,i-01234567", "rtb-", "us-gov-west-1", "tRuE", "oﬀ",
		"ON,off", "\xff", "é",
	} {
		f.Add(text)
	}
	type compiled struct {
		Form
		pattern *regexp.Regexp
	}
	var all []compiled
	for _, form := range forms() {
		all = append(all, compiled{form, regexp.MustCompile(form.Pattern)})
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, form := range all {
			canonical, err := form.Canonical(text)
			if form.pattern.MatchString(text) != (err == nil) {
				t.Fatalf("%s %q: the pattern says %t, Canonical %v", form.Name, text,
					form.pattern.MatchString(text), err)
			}
			if err != nil {
				if err.Error() == "" || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s %q: %q is not one line", form.Name, text, err)
				}
				continue
			}
			again, err := form.Canonical(canonical)
			if diff := cmp.Diff(canonical, again); err != nil || diff != "" {
				t.Errorf("%s %q: the canonical text is no fixed point: %v\n%s", form.Name, text, err, diff)
			}
		}
	})
}

package configtext_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/appliance"
	"aws-provider-executor/pkg/appliance/configtext"
	"aws-provider-executor/pkg/ec2sim/appliancesim"
)

func order() appliance.Order {
	return appliance.Order{
		Instance: "i-00000000000000001", Region: "ap-northeast-1", Address: "10.0.0.5",
		Role: appliance.Role{Kind: appliance.Secondary, Primary: "10.0.0.6"}, SyncInterface: "port1",
		Tunnels: []appliance.Tunnel{
			{Name: "az-c", Interface: "port3", Remote: "10.0.2.5"},
			{Name: "az-a", Interface: "port2", Remote: "10.0.1.5"},
		},
		ProbePort: 8008,
		Values:    map[string]string{"banner": "Zürich & Genève — 東京", "hostname": "edge-1"},
	}
}

var user = configtext.Template{Name: "user.conf", Text: `config system global
set hostname "{{.Values.hostname}}"
set alias "{{.Values.banner}}"
end
{{if eq .Role "secondary"}}config firewall address
edit "primary"
set comment "{{.PrimaryAddress}} {{.Secrets.note}}"
next
end{{end}}`}

const rendered = `config system geneve
edit "az-a"
set interface "port2"
set type ppp
set remote-ip 10.0.1.5
next
edit "az-c"
set interface "port3"
set type ppp
set remote-ip 10.0.2.5
next
end
config router static
edit 9001
set dst 10.0.1.5/32
set device "port2"
set dynamic-gateway enable
next
edit 9002
set dst 10.0.2.5/32
set device "port3"
set dynamic-gateway enable
next
end
config system probe-response
set mode http-probe
set port 8008
end
config system global
set hostname "edge-1"
set alias "Zürich & Genève — 東京"
end
config firewall address
edit "primary"
set comment "10.0.0.6 s3cret"
next
end
`

// L24: any text of UTF-8 goes through, and comes out of the appliance as it went in.
func TestL24AConfigurationOfAnyText(t *testing.T) {
	refs := map[string]string{"note": "file:/note"}
	got, err := configtext.Render([]configtext.Template{user},
		configtext.Of(order(), map[string]string{"note": "s3cret"}), refs)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rendered, got.Text); diff != "" {
		t.Error(diff)
	}
	sim, err := appliancesim.Start(appliancesim.Options{Instance: "i-00000000000000001"})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	for range 2 { // again it makes nothing else
		if errors := sim.Run(got.Text); errors != "" {
			t.Fatal(errors)
		}
	}
	if global, _ := sim.Object("system/global").(map[string]string); global["alias"] !=
		"Zürich & Genève — 東京" {
		t.Errorf("%v", global)
	}
	if routes, _ := sim.Object("router/static").([]map[string]string); len(routes) != 2 {
		t.Errorf("%v", routes)
	}
}

// Every value that is told of has its place.
func TestEveryValue(t *testing.T) {
	const text = `{{.Instance}} {{.Region}} {{.Address}} {{.Role}} {{.PrimaryAddress}} ` +
		`{{.SyncInterface}} {{.ProbePort}}{{range .Tunnels}} {{.Name}} {{.Interface}} {{.Remote}} ` +
		`{{.Route}}{{end}}`
	const want = "i-00000000000000001 ap-northeast-1 10.0.0.5 secondary 10.0.0.6 port1 8008 " +
		"az-a port2 10.0.1.5 9001 az-c port3 10.0.2.5 9002\n"
	c, err := configtext.Render([]configtext.Template{{Name: "all.conf", Text: text}},
		configtext.Of(order(), nil), nil)
	if err != nil || !strings.HasSuffix(c.Text, want) {
		t.Errorf("%v\n%s", err, c.Text)
	}
	o := order()
	o.Role = appliance.Role{}
	c, err = configtext.Render([]configtext.Template{{Name: "all.conf", Text: "{{.Role}}"}},
		configtext.Of(o, nil), nil)
	if err != nil || !strings.HasSuffix(c.Text, "none\n") {
		t.Errorf("%v\n%s", err, c.Text)
	}
}

// The digest tells configurations apart, and rests on no secret.
func TestDigests(t *testing.T) {
	digest := func(change func(*appliance.Order), secret, ref string) string {
		o := order()
		change(&o)
		c, err := configtext.Render([]configtext.Template{user},
			configtext.Of(o, map[string]string{"note": secret}), map[string]string{"note": ref})
		if err != nil {
			t.Fatal(err)
		}
		return c.Digest
	}
	same := func(*appliance.Order) {}
	first := digest(same, "a", "file:/note")
	if again := digest(same, "another", "file:/note"); again != first {
		t.Error("it rests on the secret")
	}
	for name, other := range map[string]string{
		"another reference": digest(same, "a", "file:/other"),
		"another value": digest(func(o *appliance.Order) {
			o.Values = map[string]string{"hostname": "edge-2", "banner": "b"}
		}, "a", "file:/note"),
		"no tunnels": digest(func(o *appliance.Order) { o.Tunnels = nil }, "a", "file:/note"),
		"no probe":   digest(func(o *appliance.Order) { o.ProbePort = 0 }, "a", "file:/note"),
	} {
		if other == first {
			t.Errorf("%s: the same digest", name)
		}
	}
}

// Injections: whatever a value holds, it sets nothing but its own place.
func TestAValueInjectsNothing(t *testing.T) {
	const end = "\nend\nconfig system admin\nedit evil\nnext\nend\n"
	for name, text := range map[string]string{
		"a quote":               `x" set alias "y`,
		"the end of a line":     "x" + end,
		"a return":              "x\rset alias y",
		"an escaped quote":      `x\`,
		"an apostrophe":         "x' y",
		"a backquote":           "x`y",
		"a line separator":      "x\u2028end",
		"a next line":           "x\u0085end",
		"a hidden direction":    "x\u202eend",
		"a null":                "x\x00y",
		"a question":            "x?",
		"no UTF-8":              "x\xff",
		"more than a value has": strings.Repeat("x", 1025),
	} {
		t.Run(name, func(t *testing.T) {
			for where, change := range map[string]func(*appliance.Order, map[string]string){
				"a value":     func(o *appliance.Order, _ map[string]string) { o.Values["hostname"] = text },
				"a secret":    func(_ *appliance.Order, s map[string]string) { s["note"] = text },
				"a tunnel":    func(o *appliance.Order, _ map[string]string) { o.Tunnels[0].Name = text },
				"its port":    func(o *appliance.Order, _ map[string]string) { o.Tunnels[0].Interface = text },
				"its end":     func(o *appliance.Order, _ map[string]string) { o.Tunnels[0].Remote = text },
				"the primary": func(o *appliance.Order, _ map[string]string) { o.Role.Primary = text },
				"the sync":    func(o *appliance.Order, _ map[string]string) { o.SyncInterface = text },
				"its id":      func(o *appliance.Order, _ map[string]string) { o.Instance = text },
				"its region":  func(o *appliance.Order, _ map[string]string) { o.Region = text },
				"its address": func(o *appliance.Order, _ map[string]string) { o.Address = text },
			} {
				o, secrets := order(), map[string]string{"note": "n"}
				change(&o, secrets)
				c, err := configtext.Render([]configtext.Template{user}, configtext.Of(o, secrets),
					map[string]string{"note": "file:/note"})
				if err == nil || c.Text != "" {
					t.Errorf("%s: %q", where, c.Text)
					continue
				}
				if strings.Contains(err.Error(), text) {
					t.Errorf("%s: the error tells it: %v", where, err)
				}
			}
		})
	}
}

func TestTemplatesThatAreWrong(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"an unknown value":   {`set x "{{.Values.nothing}}"`, "names what is not there"},
		"an unknown secret":  {`set x "{{.Secrets.nothing}}"`, "names what is not there"},
		"an unknown name":    {`{{.Nothing}}`, "names what is not there"},
		"a function":         {`{{env "HOME"}}`, "function \"env\" not defined"},
		"no template":        {`{{if}}`, "missing value for if"},
		"a wrong use":        {`{{range .Secrets.note}}{{.x}}{{end}}`, "names what is not there"},
		"not UTF-8":          {"\xff", "not in UTF-8"},
		"more than there is": {`{{range 2000000}}x{{end}}`, "more than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := configtext.Render([]configtext.Template{{Name: "bad.conf", Text: tt.text}},
				configtext.Of(order(), map[string]string{"note": "s3cret"}),
				map[string]string{"note": "file:/note"})
			if err == nil || c.Text != "" || !strings.Contains(err.Error(), tt.want) ||
				!strings.Contains(err.Error(), "bad.conf") || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%q %v", c.Text, err)
			}
		})
	}
}

// The example's template is taken whole by the stand-in, with tunnels and without.
func TestTheExample(t *testing.T) {
	text, err := os.ReadFile("../../../examples/appliance/edge.conf")
	if err != nil {
		t.Fatal(err)
	}
	for _, tunnels := range []int{0, 2} {
		o := order()
		o.Tunnels = o.Tunnels[:tunnels]
		c, err := configtext.Render([]configtext.Template{{Name: "edge.conf", Text: string(text)}},
			configtext.Of(o, nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		sim, err := appliancesim.Start(appliancesim.Options{Instance: "i-00000000000000001"})
		if err != nil {
			t.Fatal(err)
		}
		if errors := sim.Run(c.Text); errors != "" {
			t.Errorf("%s\n%s", errors, c.Text)
		}
		zones, _ := sim.Object("system/zone").([]map[string]string)
		if len(zones) != min(tunnels, 1) || tunnels > 0 && zones[0]["interface"] != "az-a az-c" {
			t.Errorf("%v", zones)
		}
		sim.Close()
	}
}

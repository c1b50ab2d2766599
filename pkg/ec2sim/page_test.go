package ec2sim_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"aws-provider-executor/pkg/ec2sim"
)

// page is the index page as a browser would read it: its elements by name, and its text.
type page struct {
	elements map[string]int
	links    []string
	text     string
	header   http.Header
}

func (p *peer) page() page {
	p.t.Helper()
	resp, err := p.client.Get(p.url + "/_sim/")
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		p.t.Fatalf("answered %s", resp.Status)
	}
	dec := xml.NewDecoder(resp.Body)
	dec.Strict, dec.AutoClose, dec.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	page := page{elements: map[string]int{}, header: resp.Header}
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return page
		}
		if err != nil {
			p.t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			page.elements[token.Name.Local]++
			for _, a := range token.Attr {
				page.links = append(page.links, token.Name.Local+" "+a.Name.Local+"="+a.Value)
			}
		case xml.CharData:
			page.text += string(token) + "\n"
		}
	}
}

func (p page) tells(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(p.text, text) {
			t.Errorf("%q is not told", text)
		}
	}
}

func TestIndexTellsWhatThereIs(t *testing.T) {
	p := lab(t)
	_, six, _ := p.ipv6Only()
	p.sim.Region(ec2sim.LabRegion).Remove(ec2sim.LabSpareInterface)
	p.sim.Region(ec2sim.LabRegion).EditInstance(ec2sim.LabRouterA, func(i *ec2sim.Instance) {
		i.State = "stopped"
	})
	p.ok("AssignPrivateIpAddresses", eniParam(ec2sim.LabRouterBInterface),
		"PrivateIpAddress.1=10.88.60.9")
	p.call("StopInstances", "InstanceId.1=i-0123456789abcdef0")
	p.inject(ec2sim.LoseAnswer("CreateTags").Times(3))
	page := p.page()
	page.tells(t, "1 region, 5 instances, 7 interfaces, 2 calls, 1 fault", ec2sim.LabRegion,
		"0: "+ec2sim.LabDBInterface0, "1: "+ec2sim.LabDBInterface1, "10.88.60.12 primary", "10.88.60.9",
		six.ID, "2001:db8:1088:66::4", "off: it forwards", "203.0.113.11", "10.88.60.0/24",
		"10.99.0.0/24 → "+ec2sim.LabRouterAInterface+" (black hole)", "main of "+ec2sim.LabVPC,
		"tcp 443: 0.0.0.0/0",
		"AssignPrivateIpAddresses", "PrivateIpAddress.1=10.88.60.9", "changed",
		"400 InvalidInstanceID.NotFound",
		"lost", "CreateTags", "PUT", "/_sim/quotas", "replaces the world")
	if calls := strings.Index(page.text,
		"InvalidInstanceID.NotFound"); calls > strings.LastIndex(page.text, "PrivateIpAddress.1=") {
		t.Error("the latest call is not the first one told")
	}
}

func TestIndexOfNothing(t *testing.T) {
	p := serve(t)
	p.page().tells(t, "0 regions, 0 instances, 0 interfaces, 0 calls, 0 faults",
		"The account is empty", "There were none.", "There are none.")
}

// Whatever somebody names things, it is text; nothing is run, and nothing is fetched.
func TestIndexEscapes(t *testing.T) {
	const evil = `"><script src=//evil.example/x.js></script><img src=x onerror=alert(1)>'`
	p := lab(t)
	before := p.page()
	r := p.sim.Region(ec2sim.LabRegion)
	tags := ec2sim.Tags{"Name": evil, evil: evil}
	r.EditInstance(ec2sim.LabDB, func(i *ec2sim.Instance) { i.Tags, i.Type = tags, evil })
	r.EditInterface(ec2sim.LabDBInterface0, func(i *ec2sim.Interface) { i.Tags, i.Type = tags, evil })
	r.EditSecurityGroup(ec2sim.LabGroupWeb, func(g *ec2sim.SecurityGroup) {
		g.Name, g.Egress = evil, []ec2sim.Rule{{Protocol: evil, CIDRs: []string{evil}}}
	})
	r.EditSubnet(ec2sim.LabSubnetA, func(s *ec2sim.Subnet) { s.Tags, s.Owner = tags, evil })
	r.EditRouteTable(ec2sim.LabRouteTable, func(t *ec2sim.RouteTable) { t.Tags = tags })
	p.call(evil, evil+"="+evil)
	p.inject(ec2sim.Fault{Name: evil, Operation: "reads"})
	page := p.page()
	if n := strings.Count(page.text, evil); n < 12 {
		t.Errorf("it is told %d times", n)
	}
	for name := range page.elements {
		if before.elements[name] == 0 {
			t.Errorf("there is an element %s", name)
		}
	}
	for _, link := range page.links {
		if strings.Contains(link, "evil") || strings.Contains(link, "//") ||
			strings.Contains(link, "onerror") {
			t.Errorf("there is an attribute %s", link)
		}
	}
	for _, name := range []string{"script", "link", "img", "iframe", "form"} {
		if page.elements[name] != 0 {
			t.Errorf("there is an element %s", name)
		}
	}
	if policy := page.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy,
		"default-src 'none'") {
		t.Errorf("content security policy %q", policy)
	}
}

func TestIndexOfVeryMuch(t *testing.T) {
	p := lab(t)
	r := p.sim.Region(ec2sim.LabRegion)
	subnet := r.AddSubnet(ec2sim.Subnet{VPCID: ec2sim.LabVPC, CIDR: "10.88.128.0/20"})
	for range 300 {
		r.AddInterface(ec2sim.Interface{SubnetID: subnet.ID})
	}
	for range 60 {
		p.ok("DescribeVpcs")
	}
	page := p.page()
	page.tells(t, "Interfaces (307)", "and 107 more", "and 10 before")
	if n := strings.Count(page.text, "DescribeVpcs"); n != 50 {
		t.Errorf("%d calls are told", n)
	}
}

// The links of the page lead somewhere.
func TestIndexLinks(t *testing.T) {
	p := lab(t)
	links := 0
	for _, link := range p.page().links {
		path, ok := strings.CutPrefix(link, "a href=")
		if !ok || strings.HasPrefix(path, "#") {
			continue
		}
		links++
		if status, _ := p.control(http.MethodGet, path, ""); status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
	}
	if links < 4 {
		t.Errorf("%d links", links)
	}
	resp, err := p.client.Get(p.url + "/_sim")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Request.URL.Path != "/_sim/" {
		t.Errorf("without the slash: %s at %s", resp.Status, resp.Request.URL)
	}
}

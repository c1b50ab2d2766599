package ec2sim

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/world"
)

//go:embed page.html
var indexText string

var indexTemplate = template.Must(template.New("index").Parse(indexText))

// What the index shows of very much.
const (
	indexRows  = 200 // of a table of resources
	indexCalls = 50
)

// index is what the page at the control prefix shows. The template escapes all of it.
type index struct {
	Summary, Now, Prefix string
	Regions              []indexRegion
	Calls, Faults        *grid // nil where there are none
	Controls             []control
}

type indexRegion struct {
	Name   string
	Tables []grid
}

// grid is a table of a page.
type grid struct {
	Title   string
	Columns []string
	Rows    [][]cell
	More    int // rows that are left out
}

// cell is what a field of a table shows, a line each.
type cell []mark

// mark is a text, and how it looks: id, quiet, good or bad.
type mark struct{ Text, Class string }

func plainCell(texts ...string) cell { return marked("", texts...) }
func idCell(ids ...string) cell      { return marked("id", ids...) }
func quietCell(texts ...string) cell { return marked("quiet", texts...) }

// marked makes a cell of the texts that are not empty.
func marked(class string, texts ...string) cell {
	var c cell
	for _, text := range texts {
		if text != "" {
			c = append(c, mark{text, class})
		}
	}
	return c
}

// pagePolicy lets a browser fetch nothing and run nothing.
const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

// serveIndex answers a page for people. It needs no script, and fetches nothing.
func (s *Sim) serveIndex(w http.ResponseWriter) {
	var page bytes.Buffer
	if err := indexTemplate.Execute(&page, s.index()); err != nil {
		http.Error(w, "cannot make the page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", pagePolicy)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(page.Bytes()) // a client that has gone away is its own affair
}

func (s *Sim) index() index {
	now, worlds := s.borrow()
	x := index{Now: now.UTC().Format(time.RFC3339), Prefix: controlPrefix, Controls: controls()}
	instances, interfaces := 0, 0
	for _, name := range slices.Sorted(maps.Keys(worlds)) {
		w := worlds[name]
		instances, interfaces = instances+len(w.Instances), interfaces+len(w.Interfaces)
		x.Regions = append(x.Regions, indexRegion{name, pageView{w}.grids()})
	}
	calls, faults := s.Calls(), s.Faults()
	x.Summary = strings.Join([]string{
		several(len(worlds), "region"), several(instances, "instance"), several(interfaces, "interface"),
		several(len(calls), "call"), several(len(faults), "fault"),
	}, ", ")
	x.Calls, x.Faults = callGrid(calls), faultGrid(faults)
	return x
}

func several(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

// borrow returns the worlds that hold something, to read them without the lock.
func (s *Sim) borrow() (time.Time, map[string]*world.World) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, worlds := s.cfg.now(), map[string]*world.World{}
	for at, w := range s.mem.worlds {
		name := at.Region
		if at.Account != s.mem.owner {
			name += " of account " + at.Account
		}
		if !w.Empty() {
			worlds[name] = s.mem.settled(at, now)
			worlds[name].Lent = true
		}
	}
	return now, worlds
}

// pageView is a region as the page shows it.
type pageView struct{ *world.World }

// grids are the tables of a region. One without rows is left out.
func (w pageView) grids() []grid {
	all := []grid{
		gridOf("Instances", w.Instances, w.instanceRow,
			"instance", "name", "state", "type", "interfaces", "tags"),
		gridOf("Auto Scaling groups", w.ScalingGroups, scalingRow,
			"group", "size", "instances", "waiting at"),
		gridOf("Interfaces", w.Interfaces, w.interfaceRow, "interface", "name", "attached to",
			"subnet", "addresses", "source/dest check", "groups", "tags"),
		gridOf("Route tables", w.Routes, w.routeTableRow, "table", "name", "used by", "routes"),
		gridOf("Security groups", w.Groups, w.groupRow, "group", "name", "VPC", "in", "out"),
		gridOf("Subnets", w.Subnets, w.subnetRow,
			"subnet", "name", "VPC", "zone", "networks", "free", "owner"),
		gridOf("VPCs", w.VPCs, w.vpcRow, "VPC", "name", "networks", "owner"),
		gridOf("Elastic IPs", w.Addresses, w.addressRow, "address", "allocation", "bound to"),
		gridOf("Gateways", w.Gateways, func(g *Gateway) []cell {
			return []cell{idCell(g.ID), plainCell(g.Tags["Name"]), idCell(g.VPCID)}
		}, "gateway", "name", "VPC"),
	}
	all = slices.DeleteFunc(all, func(g grid) bool { return len(g.Rows) == 0 })
	for i := range all {
		all[i].dropEmptyColumns()
	}
	return all
}

func (g *grid) dropEmptyColumns() {
	for at := len(g.Columns) - 1; at >= 0; at-- {
		if slices.ContainsFunc(g.Rows, func(row []cell) bool { return len(row[at]) > 0 }) {
			continue
		}
		g.Columns = slices.Delete(g.Columns, at, at+1)
		for i, row := range g.Rows {
			g.Rows[i] = slices.Delete(row, at, at+1)
		}
	}
}

func gridOf[T world.Resource[T]](
	title string, t world.Table[T], row func(*T) []cell, columns ...string,
) grid {
	g := grid{Title: title + " (" + strconv.Itoa(len(t)) + ")", Columns: columns}
	for r := range t.Each() {
		if len(g.Rows) == indexRows {
			g.More = len(t) - indexRows
			break
		}
		g.Rows = append(g.Rows, row(r))
	}
	return g
}

// moreTags are the tags beside the name, as KEY=VALUE.
func moreTags(tags Tags) cell {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if key != "Name" {
			list = append(list, key+"="+tags[key])
		}
	}
	return plainCell(list...)
}

func (w pageView) instanceRow(i *Instance) []cell {
	state := marked("bad", i.State)
	if i.State == "running" {
		state = marked("good", i.State)
	}
	var nics []string
	for _, eni := range w.Attached(i.ID) {
		nics = append(nics, strconv.Itoa(eni.Attachment.DeviceIndex)+": "+eni.ID)
	}
	return []cell{
		idCell(i.ID), plainCell(i.Tags["Name"]), state, plainCell(i.Type), idCell(nics...),
		moreTags(i.Tags),
	}
}

func scalingRow(g *ScalingGroup) []cell {
	var instances, waits []string
	for _, m := range g.Instances {
		instances = append(instances, m.InstanceID+" "+m.State)
		for _, a := range m.Actions {
			if a.Result == "" {
				waits = append(waits, m.InstanceID+" "+a.Hook)
			}
		}
	}
	size := fmt.Sprintf("%d of %d to %d", g.DesiredCapacity, g.MinSize, g.MaxSize)
	return []cell{plainCell(g.Name), plainCell(size), plainCell(instances...), plainCell(waits...)}
}

func (w pageView) interfaceRow(i *Interface) []cell {
	kind := ""
	if i.Type != world.PlainType {
		kind = i.Type
	}
	check := plainCell("on")
	if !i.SourceDestCheck {
		check = marked("good", "off: it forwards")
	}
	var groups []string
	for _, id := range i.Groups {
		groups = append(groups, w.GroupName(id))
	}
	return []cell{
		append(idCell(i.ID), quietCell(kind)...), plainCell(i.Tags["Name"]), w.attachmentCell(i),
		idCell(i.SubnetID), addressCell(i), check, plainCell(groups...), moreTags(i.Tags),
	}
}

func (w pageView) attachmentCell(i *Interface) cell {
	switch {
	case i.TrunkID != "":
		return idCell("trunk " + i.TrunkID)
	case i.Attachment == nil:
		return quietCell(i.Status())
	case i.Instance() == "":
		return plainCell(i.Attachment.InstanceOwner)
	}
	at := idCell(i.Instance() + " at " + strconv.Itoa(i.Attachment.DeviceIndex))
	if i.Attachment.Status != "attached" {
		at = append(at, mark{i.Attachment.Status, "bad"})
	}
	return at
}

func addressCell(i *Interface) cell {
	var c cell
	for _, a := range i.PrivateAddresses {
		text := a.Address
		if a.Primary {
			text += " primary"
		}
		c = append(c, mark{text, "id"})
	}
	return append(c, idCell(slices.Concat(i.IPv6Addresses, i.Prefixes)...)...)
}

func (w pageView) routeTableRow(t *RouteTable) []cell {
	var of, routes cell
	for _, a := range t.Associations {
		if a.Main {
			of = append(of, mark{"main of " + t.VPCID, "id"})
		} else {
			of = append(of, mark{a.SubnetID, "id"})
		}
	}
	for _, r := range t.Routes {
		m := mark{r.Destination + " → " + r.Target, "id"}
		if w.RouteState(r) != "active" {
			m = mark{m.Text + " (black hole)", "id bad"}
		}
		routes = append(routes, m)
	}
	return []cell{idCell(t.ID), plainCell(t.Tags["Name"]), of, routes}
}

func (w pageView) groupRow(g *SecurityGroup) []cell {
	return []cell{
		idCell(g.ID), plainCell(g.Name), idCell(g.VPCID), ruleCell(g.Ingress), ruleCell(g.Egress),
	}
}

func ruleCell(rules []Rule) cell {
	if len(rules) == 0 {
		return quietCell("nothing")
	}
	var c cell
	for _, r := range rules {
		what := "all"
		if r.Protocol != "-1" {
			what = fmt.Sprintf("%s %d", r.Protocol, r.FromPort)
			if r.ToPort != r.FromPort {
				what += "–" + strconv.Itoa(r.ToPort)
			}
		}
		peers := strings.Join(slices.Concat(r.CIDRs, r.IPv6, r.Groups), ", ")
		c = append(c, mark{what + ": " + peers, ""})
	}
	return c
}

func (w pageView) subnetRow(s *Subnet) []cell {
	return []cell{
		idCell(s.ID), plainCell(s.Tags["Name"]), idCell(s.VPCID), plainCell(s.AvailabilityZone),
		idCell(s.CIDRs()...), plainCell(strconv.Itoa(w.Available(s))), w.ownerCell(s.ID),
	}
}

func (w pageView) vpcRow(v *VPC) []cell {
	return []cell{idCell(v.ID), plainCell(v.Tags["Name"]), idCell(v.CIDRs()...), w.ownerCell(v.ID)}
}

func (w pageView) ownerCell(id string) cell {
	if w.Foreign(id) {
		return plainCell(w.OwnerOf(id) + " (another account)")
	}
	return quietCell(w.OwnerOf(id))
}

func (w pageView) addressRow(a *Address) []cell {
	bound := quietCell("nothing")
	if a.AssociationID != "" {
		bound = idCell(a.InterfaceID + " " + a.PrivateIP)
	}
	return []cell{idCell(a.PublicIP), idCell(a.AllocationID), bound}
}

// callGrid shows the last calls, the latest first.
func callGrid(calls []Call) *grid {
	if len(calls) == 0 {
		return nil
	}
	g := grid{Columns: []string{"#", "time", "region", "operation", "parameters", "answer", "faults"}}
	g.More = max(len(calls)-indexCalls, 0)
	for _, c := range slices.Backward(calls[g.More:]) {
		var params []string
		for _, name := range slices.Sorted(maps.Keys(c.Params)) {
			params = append(params, name+"="+c.Params[name])
		}
		g.Rows = append(g.Rows, []cell{
			plainCell(strconv.Itoa(c.Seq)), plainCell(c.Time.UTC().Format("15:04:05.000")),
			plainCell(c.Region), plainCell(c.Operation), idCell(params...),
			answerCell(c), plainCell(c.Faults...),
		})
	}
	g.dropEmptyColumns()
	return &g
}

func answerCell(c Call) cell {
	answer := marked("bad", strings.TrimSpace(strconv.Itoa(c.Status)+" "+c.Code))
	switch {
	case c.Status == http.StatusOK:
		answer = plainCell("200")
	case c.Status == 0:
		answer = marked("bad", "none")
	}
	if c.Effect {
		answer = append(answer, mark{"changed", "good"})
	}
	return answer
}

func faultGrid(faults []FaultState) *grid {
	if len(faults) == 0 {
		return nil
	}
	g := grid{Columns: []string{"fault", "operation", "calls seen", "struck", "to strike"}}
	for _, f := range faults {
		operation, count := f.Fault.Operation, strconv.Itoa(max(f.Fault.Count, 1))
		if operation == "" {
			operation = "any"
		}
		if f.Fault.Count == Always {
			count = "always"
		}
		g.Rows = append(g.Rows, []cell{
			plainCell(f.Fault.Label()), plainCell(operation), plainCell(strconv.Itoa(f.Seen)),
			plainCell(strconv.Itoa(f.Struck)), plainCell(count),
		})
	}
	return &g
}

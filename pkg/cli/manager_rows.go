package cli

import (
	"io"
	"strings"
	"time"

	"aws-provider-executor/pkg/nodes"
)

// managerRow is a manager as lists have it.
type managerRow struct {
	ID              string                 `json:"id"`
	Name            string                 `json:"name"`
	Type            nodes.ManagerType      `json:"type"`
	Access          nodes.Access           `json:"access"`
	Accounts        []string               `json:"accounts"`
	Regions         []string               `json:"regions"`
	ExcludedRegions []string               `json:"excludedRegions"`
	Credentials     []nodes.CredentialRule `json:"credentials"`
	Interval        string                 `json:"interval,omitempty"`
	AddedAt         time.Time              `json:"addedAt,omitzero"`
	Checked         nodes.Check            `json:"checked,omitzero"`
	Revision        int64                  `json:"revision"`
	// Scanned are the last scans of its regions; only show has them.
	Scanned []nodes.RegionScan `json:"scanned,omitempty"`
}

func rowOfManager(m nodes.Manager) managerRow {
	r := managerRow{
		ID: m.ID, Name: m.Name, Type: m.Type, Access: m.Access, Accounts: asList(m.Accounts),
		Regions: asList(m.Regions), ExcludedRegions: asList(m.ExcludedRegions),
		Credentials: asList(m.Credentials), AddedAt: m.AddedAt, Checked: m.Checked,
		Revision: m.Revision,
	}
	if m.Interval > 0 {
		r.Interval = m.Interval.String()
	}
	return r
}

// asList is a list that is empty rather than absent.
func asList[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// identity says as whom a manager looks.
func (r managerRow) identity() string {
	a := r.Access
	text := ""
	switch {
	case r.Type == nodes.ManagerOfManual:
		return ""
	case a.Profile != "":
		text = "profile " + a.Profile
	case a.Secret != "":
		text = "keys of " + string(a.Secret)
	case a.RoleARN == "":
		text = "ambient"
	}
	if a.RoleARN != "" {
		if text != "" {
			text += ", "
		}
		text += "role " + a.RoleARN
	}
	return text
}

func (n *nodeCommands) managerTable(w io.Writer, rows []managerRow) {
	lines := make([][]string, len(rows))
	for i, r := range rows {
		regions := strings.Join(r.Regions, " ")
		for _, x := range r.ExcludedRegions {
			regions = strings.TrimSpace(regions + " !" + x)
		}
		lines[i] = []string{r.Name, string(r.Type), string(r.Checked.Status), r.Checked.AccountID,
			regions, r.identity(), moment(r.Checked.At), r.Checked.Reason, r.ID, r.Interval}
	}
	n.tabulateColumns(w, managerColumns, lines)
}

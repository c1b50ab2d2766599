//go:build conformance

package conformance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"aws-provider-executor/pkg/ledger/ledgertest"
)

// TestGoneTargets: an undo of what boto3 deleted meanwhile closes, and what was taken goes back to
// who had it.
func TestGoneTargets(t *testing.T) {
	t.Parallel()
	for _, start := range []func() (*place, error){startMoto, startSim} {
		at := own(t, start)
		for name, test := range map[string]func(*testing.T, *actions){
			"an interface with an address":                  goneInterface,
			"an interface that forwards":                    goneForwarder,
			"an interface that took an address":             goneTaker,
			"an interface that a route leads to":            goneNextHop,
			"a route table":                                 goneTable,
			"an instance that is terminated":                goneInstance,
			"without a record, by what the action answered": goneUnrecorded,
		} {
			t.Run(at.name+", "+name, func(t *testing.T) { test(t, at.fresh(t).actions(t)) })
		}
	}
}

// age makes the records two minutes older.
func (a *actions) age(t *testing.T) {
	t.Helper()
	if err := ledgertest.Age(a.state, 2*time.Minute); err != nil {
		t.Fatal(err)
	}
}

// remove deletes a thing: moto by a call, the stand-in by its control interface.
func (a *actions) remove(t *testing.T, call, field, role string) {
	t.Helper()
	if a.name == moto {
		a.hand(t, fmt.Sprintf(`%s {%q:"@%s"}`, call, field, role))
		return
	}
	a.control(t, http.MethodPost, "/_sim/remove", `{"id":"`+a.id(role)+`"}`, nil)
}

func (a *actions) deleteSpare(t *testing.T) {
	t.Helper()
	a.remove(t, "delete_network_interface", "NetworkInterfaceId", "nic-spare")
}

// closes holds an undo against the rule: not found while the record is fresh, and closed when it
// is old.
func (a *actions) closes(t *testing.T, want string) {
	t.Helper()
	undo := a.last
	a.expect(t, "execute undo within=5s", "failed not-found retryable=true")
	a.last = undo
	a.age(t)
	a.expect(t, "execute undo within=5s", want)
}

func goneInterface(t *testing.T, a *actions) {
	a.expect(t, "execute assign-secondary-ip nic-spare 10.88.60.9", "succeeded changed=true undoable")
	a.deleteSpare(t)
	a.closes(t, "succeeded changed=false targetGone=true unassignedAddress=10.88.60.9")
}

func goneForwarder(t *testing.T, a *actions) {
	a.expect(t, "execute ensure-forwarding-enabled nic-spare", "succeeded changed=true undoable")
	a.deleteSpare(t)
	a.closes(t, "succeeded changed=false targetGone=true priorSourceDestCheck=true")
}

func goneTaker(t *testing.T, a *actions) {
	if a.name == moto {
		// moto leaves the address with the holder that it is taken from.
		return
	}
	a.expect(t, "execute assign-secondary-ip nic-spare 10.88.60.100 allowReassignment=true",
		"succeeded changed=true priorHolder=nic-b undoable")
	a.deleteSpare(t)
	a.closes(t, "succeeded changed=true targetGone=true restoredHolder=nic-b")
	query := `describe_network_interfaces {"NetworkInterfaceIds":["@nic-b"]} | ` +
		`NetworkInterfaces[0].PrivateIpAddresses[].PrivateIpAddress`
	var got []string
	if err := json.Unmarshal(a.hand(t, query), &got); err != nil || len(got) != 2 ||
		got[1] != "10.88.60.100" {
		t.Errorf("the prior holder has %v (%v)", got, err)
	}
}

func goneNextHop(t *testing.T, a *actions) {
	a.expect(
		t, "execute assign-route-table-route table-a nic-spare 10.99.0.0/24 allowReassignment=true",
		"succeeded changed=true priorRouteTarget=nic-a undoable")
	a.deleteSpare(t)
	a.expect(t, "execute undo", "succeeded changed=true restoredRouteTarget=nic-a")
}

func goneTable(t *testing.T, a *actions) {
	a.expect(t, "execute assign-route-table-route table-a nic-a 10.98.0.0/24",
		"succeeded changed=true undoable")
	if a.name == moto {
		// moto deletes no table that a subnet uses.
		association := a.hand(t, `describe_route_tables {"RouteTableIds":["@table-a"]} | `+
			`RouteTables[0].Associations[0].RouteTableAssociationId`)
		a.hand(t, `disassociate_route_table {"AssociationId":`+string(association)+`}`)
	}
	a.remove(t, "delete_route_table", "RouteTableId", "table-a")
	a.closes(t, "succeeded changed=false targetGone=true unassignedRoute=10.98.0.0/24")
}

func goneInstance(t *testing.T, a *actions) {
	a.expect(t, "execute fence-security-groups db securityGroups=group-fence invertSgRemoval=true"+
		aside, "succeeded changed=true undoable")
	if a.name == moto {
		a.hand(t, `terminate_instances {"InstanceIds":["@db"]}`)
		a.settle(t)
	} else {
		for _, role := range []string{"nic-db0", "nic-db1", "db"} {
			a.remove(t, "", "", role)
		}
	}
	a.age(t)
	want := "succeeded changed=false targetGone=true"
	if a.name == moto {
		// moto leaves the interfaces on a terminated instance, so they are restored.
		want = "succeeded changed=true restoredSecurityGroups.nic-db1=group-web"
	}
	a.expect(t, "execute undo within=5s", want)
}

func goneUnrecorded(t *testing.T, a *actions) {
	a.expect(t, "execute assign-secondary-ip nic-spare 10.88.60.9 key=lost",
		"succeeded changed=true undoable")
	a.deleteSpare(t)
	a.state = t.TempDir()
	a.expect(
		t, "execute unassign-secondary-ip nic-spare 10.88.60.9 key=lost:undo priorAssigned=false "+
			"within=5s", "failed not-found retryable=true")
	a.expect(t, "execute unassign-secondary-ip nic-spare 10.88.60.9 key=lost:undo "+
		"priorAssigned=false assignedAddress=10.88.60.9 within=5s",
		"succeeded changed=false targetGone=true")
	a.expect(t, "execute unassign-secondary-ip nic-spare 10.88.60.9 key=own priorAssigned=false "+
		"assignedAddress=10.88.60.9 within=5s",
		"failed not-found retryable=true")
}

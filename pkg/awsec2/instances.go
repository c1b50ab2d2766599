package awsec2

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"time"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// The answer to DescribeInstances, as far as it is looked at.
type (
	instancesOut struct {
		Reservations []reservation `xml:"reservationSet>item"`
		NextToken    string        `xml:"nextToken"`
	}
	reservation struct {
		Owner     string           `xml:"ownerId"`
		Instances []instanceAnswer `xml:"instancesSet>item"`
	}
	instanceAnswer struct {
		ID    string `xml:"instanceId"`
		VPCID string `xml:"vpcId"`
		// State is empty where an answer leaves it out.
		State      string           `xml:"instanceState>name"`
		Type       string           `xml:"instanceType"`
		Launched   time.Time        `xml:"launchTime"`
		RootDevice string           `xml:"rootDeviceType"`
		Lifecycle  string           `xml:"instanceLifecycle"`
		Hibernates bool             `xml:"hibernationOptions>configured"`
		Managed    bool             `xml:"operator>managed"`
		Zone       string           `xml:"placement>availabilityZone"`
		Tags       tagSet           `xml:"tagSet>item"`
		Interfaces []attachedAnswer `xml:"networkInterfaceSet>item"`
	}
	// attachedAnswer is an interface of an instance.
	attachedAnswer struct {
		ID      string        `xml:"networkInterfaceId"`
		VPCID   string        `xml:"vpcId"`
		Type    string        `xml:"interfaceType"`
		Managed bool          `xml:"operator>managed"`
		Status  string        `xml:"attachment>status"`
		Card    int           `xml:"attachment>networkCardIndex"`
		Index   int           `xml:"attachment>deviceIndex"`
		Public  *publicAnswer `xml:"association"`
		Groups  []struct {
			ID string `xml:"groupId"`
		} `xml:"groupSet>item"`
		Addresses []struct {
			Private string        `xml:"privateIpAddress"`
			Primary bool          `xml:"primary"`
			Public  *publicAnswer `xml:"association"`
		} `xml:"privateIpAddressesSet>item"`
	}
	// publicAnswer is a public address that leads to a private one.
	publicAnswer struct {
		IP    string `xml:"publicIp"`
		Owner string `xml:"ipOwnerId"`
	}
)

// isWhole reports whether an instance has what every one has. One that is left out because it was
// not understood would look like one that does not exist.
func (i instanceAnswer) isWhole() bool { return i.ID != "" && i.State != "" }

// DescribeInstance reads one instance by its id, which works when a part of the
// region is sick, as a search might not: its state, its tags, and its interfaces with their groups,
// those too that an AWS service hides. One that does not exist is not-found.
func (r *Reader) DescribeInstance(ctx context.Context, id string) (ec2model.Instance, error) {
	return readExisting(ctx, r.absent, id, func(ctx context.Context) (ec2model.Instance, error) {
		return r.instanceOnce(ctx, id)
	})
}

func (r *Reader) instanceOnce(ctx context.Context, id string) (ec2model.Instance, error) {
	var out instancesOut
	err := r.ask(ctx, "DescribeInstances", "describe "+id,
		url.Values{"InstanceId.1": {id}, "IncludeManagedResources": {"true"}}, &out)
	if err != nil {
		return ec2model.Instance{}, err
	}
	for _, reservation := range out.Reservations {
		for _, i := range reservation.Instances {
			if i.ID == id && i.isWhole() {
				found := i.model()
				found.OwnerID = reservation.Owner
				return found, nil
			}
		}
	}
	return ec2model.Instance{},
		protocol.Refuse(protocol.Unavailable, "cannot describe %s: EC2's answer leaves it out; try again",
			id)
}

func (i instanceAnswer) model() ec2model.Instance {
	m := ec2model.Instance{
		ID: i.ID, VPCID: i.VPCID, State: i.State, Tags: i.Tags.byKey(), Type: i.Type,
		Launched: i.Launched, RootDevice: i.RootDevice, Lifecycle: i.Lifecycle,
		Hibernates: i.Hibernates, Managed: i.Managed, Zone: i.Zone,
	}
	for position, n := range i.Interfaces {
		if n.Status == "detached" {
			continue
		}
		one := n.model()
		one.Position = position
		m.Interfaces = append(m.Interfaces, one)
		if n.Public != nil && n.Public.Owner == ownedByAmazon {
			m.LostAddress = n.Public.IP
		}
	}
	slices.SortStableFunc(m.Interfaces, func(a, b ec2model.InstanceInterface) int {
		return cmp.Or(cmp.Compare(a.Card, b.Card), cmp.Compare(a.Index, b.Index), cmp.Compare(a.ID, b.ID))
	})
	return m
}

// ownedByAmazon is the owner of a public address that EC2 gave of its own. The owner of an Elastic
// IP is an account.
const ownedByAmazon = "amazon"

func (n attachedAnswer) model() ec2model.InstanceInterface {
	m := ec2model.InstanceInterface{
		ID: n.ID, VPCID: n.VPCID, Type: n.Type, Managed: n.Managed, Card: n.Card, Index: n.Index,
	}
	for _, g := range n.Groups {
		m.Groups = append(m.Groups, g.ID)
	}
	slices.Sort(m.Groups)
	for _, a := range n.Addresses {
		one := ec2model.InstanceAddress{Private: a.Private}
		if a.Public != nil {
			one.Public, one.Elastic = a.Public.IP, a.Public.Owner != ownedByAmazon
		}
		if a.Primary {
			m.Addresses = slices.Insert(m.Addresses, 0, one)
		} else {
			m.Addresses = append(m.Addresses, one)
		}
	}
	return m
}

// StopInstance stops the instance, by force where its system does not stop by itself. It does not
// wait.
func (w *Writer) StopInstance(ctx context.Context, id string) error {
	return w.send(ctx, "StopInstances", "stop "+id,
		url.Values{"InstanceId.1": {id}, "Force": {"true"}}, &struct{}{})
}

// ShutDownInstance stops the instance by its own system. It does not wait.
func (w *Writer) ShutDownInstance(ctx context.Context, id string) error {
	return w.send(ctx, "StopInstances", "stop "+id, url.Values{"InstanceId.1": {id}}, &struct{}{})
}

// StartInstance starts the instance. It does not wait.
func (w *Writer) StartInstance(ctx context.Context, id string) error {
	return w.send(ctx, "StartInstances", "start "+id, url.Values{"InstanceId.1": {id}}, &struct{}{})
}

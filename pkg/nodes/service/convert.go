package service

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/scan"
	"aws-provider-executor/pkg/nodes/service/nodesv1"
)

// stamp is a time; nil where there is none.
func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// timeOf is the time of a stamp; zero where there is none.
func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil || !t.IsValid() {
		return time.Time{}
	}
	return t.AsTime()
}

func texts[T ~string](all []T) []string {
	list := make([]string, len(all))
	for i, x := range all {
		list[i] = string(x)
	}
	return list
}

func nodeOf(n *nodes.Node) *nodesv1.Node {
	return &nodesv1.Node{
		Id: n.ID, Name: n.Name, SourceId: n.Source.ID, Region: n.Region, AccountId: n.AccountID,
		State: string(n.State), Status: string(n.Status), Tags: n.Tags(), Type: string(n.Type),
		Managers: n.Managers, Platform: n.Platform, PlatformRelease: n.PlatformRelease,
		InstanceType: n.InstanceType, Zone: n.Zone, Addresses: n.Addresses,
		StateSince: stamp(n.StateSince), StateEvidence: evidenceOf(n.Said),
		ConnectionError: n.ConnectionError, LastContact: stamp(n.LastContact), SeenAt: stamp(n.SeenAt),
		AddedAt: stamp(n.AddedAt),
	}
}

func evidenceOf(e nodes.Evidence) *nodesv1.Evidence {
	if e == (nodes.Evidence{}) {
		return nil
	}
	return &nodesv1.Evidence{Kind: string(e.Kind), By: e.By, At: stamp(e.At), Inferred: e.Inferred,
		Note: e.Note}
}

func detailsOf(n *nodes.Node) *nodesv1.NodeDetails {
	d := &nodesv1.NodeDetails{
		Aliases: texts(n.Aliases), StatusEvidence: evidenceOf(n.StatusSaid), VpcId: n.VPCID,
		ImageId: n.ImageID, LaunchTime: stamp(n.LaunchTime), LastProbe: stamp(n.LastProbe),
		Runs: resultsPair(n.Runs), Scans: resultsPair(n.Scans), Projects: n.Projects,
		AbsentScans: int32(n.Absence.Scans), Subscription: n.Subscription, Resource: n.Resource,
		CloudState: n.CloudState,
	}
	for _, i := range n.Interfaces {
		d.Interfaces = append(d.Interfaces, &nodesv1.NetworkInterface{
			Id: i.ID, DeviceIndex: int32(i.DeviceIndex), SubnetId: i.SubnetID, VpcId: i.VPCID,
			Mac: i.MAC, PrivateAddresses: i.Private, PublicAddresses: i.Public,
		})
	}
	if t := n.Target; t != nil {
		d.Target = &nodesv1.Target{Host: t.Host, Port: int32(t.Port), Protocol: string(t.Protocol),
			User: t.User, KnownHosts: t.KnownHosts, Credential: string(t.Credential)}
	}
	return d
}

func resultsPair(r nodes.Results) *nodesv1.Results {
	if r.Last == nil {
		return nil
	}
	return &nodesv1.Results{Last: resultOut(r.Last), Penultimate: resultOut(r.Penultimate)}
}

func resultOut(r *nodes.Result) *nodesv1.Result {
	if r == nil {
		return nil
	}
	return &nodesv1.Result{Id: r.ID, Status: string(r.Status), EndTime: stamp(r.EndTime)}
}

func resultIn(r *nodesv1.Result) *nodes.Result {
	if r == nil {
		return nil
	}
	status := nodes.ResultStatus(r.Status)
	if status == "" {
		status = nodes.ResultUnknown
	}
	return &nodes.Result{ID: r.Id, Status: status, EndTime: timeOf(r.EndTime)}
}

func changeOf(c nodes.Change, name string) *nodesv1.Change {
	return &nodesv1.Change{NodeId: c.NodeID, NodeName: name, At: stamp(c.At),
		RecordedAt: stamp(c.RecordedAt), Field: c.Field, From: c.From, To: c.To,
		Evidence: evidenceOf(c.Evidence)}
}

func changesOf(all []nodes.Change, name string) []*nodesv1.Change {
	list := make([]*nodesv1.Change, len(all))
	for i, c := range all {
		list[i] = changeOf(c, name)
	}
	return list
}

func managerOf(m nodes.Manager) *nodesv1.Manager {
	out := &nodesv1.Manager{
		Id: m.ID, Name: m.Name, Type: string(m.Type), RoleArn: m.Access.RoleARN,
		ExternalId: m.Access.ExternalID, Profile: m.Access.Profile, Secret: string(m.Access.Secret),
		Accounts: m.Accounts, Regions: m.Regions, ExcludedRegions: m.ExcludedRegions,
		AddedAt: stamp(m.AddedAt), Revision: m.Revision,
	}
	for _, rule := range m.Credentials {
		out.Credentials = append(out.Credentials, &nodesv1.CredentialRule{Key: rule.Key,
			Value: rule.Value, References: texts(rule.Refs)})
	}
	if m.Interval > 0 {
		out.Interval = durationpb.New(m.Interval)
	}
	if !m.Checked.At.IsZero() {
		out.Checked = &nodesv1.ManagerCheck{At: stamp(m.Checked.At), Status: string(m.Checked.Status),
			Reason: m.Checked.Reason, AccountId: m.Checked.AccountID}
	}
	return out
}

func regionOf(r nodes.RegionScan) *nodesv1.RegionScan {
	return &nodesv1.RegionScan{
		AccountId: r.AccountID, Region: r.Region, Verdict: string(r.Verdict), Reason: r.Reason,
		Begun: stamp(r.Begun), Ended: stamp(r.Ended), Calls: int32(r.Calls),
		Throttled: int32(r.Throttled), Seen: int32(r.Seen), LastComplete: stamp(r.LastComplete),
	}
}

func resultOf(r scan.Result) *nodesv1.RegionResult {
	x := r.Summary
	return &nodesv1.RegionResult{
		Manager: r.Manager.Name, ManagerId: r.Manager.ID, AccountId: r.AccountID, Region: r.Region,
		Verdict: string(r.Verdict), Skipped: r.Skipped, Reason: r.Reason, Took: durationpb.New(r.Took),
		Calls: int32(r.Calls), Throttled: int32(r.Throttled), Seen: int32(x.Seen),
		Added: int32(x.Added), Changed: int32(x.Changed), Merged: int32(x.Merged),
		Ignored: int32(x.Ignored), Absent: int32(x.Absent), Gone: int32(x.Gone),
		Revived: int32(x.Revived), Revivable: x.Revivable,
	}
}

func resultsOf(all []scan.Result) []*nodesv1.RegionResult {
	list := make([]*nodesv1.RegionResult, len(all))
	for i, r := range all {
		list[i] = resultOf(r)
	}
	return list
}

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"aws-provider-executor/examples/internal/steps"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/ledger/table/localtable"
	"aws-provider-executor/pkg/lifecycle"
)

const (
	group, queue = "edge", "edge"
	account      = ec2sim.DefaultOwner
	// hiddenFor is how long the queue hides a message that was taken.
	hiddenFor = 2 * time.Minute
	// patience bounds how long a step is waited for.
	patience = 2 * time.Minute
)

// demo is a group of the stand-in, and the handler of its events.
type demo struct {
	*steps.Stage
	sim     *ec2sim.Sim
	srv     *ec2sim.Server
	env     []string
	handler *handler
	// ahead is how far the stand-in's clock is ahead.
	ahead atomic.Int64
	// seen are the instances that the group had, in order.
	seen []string
}

// open makes the stand-in, with a group of no instances, and what the handler is told.
func (d *demo) open() error {
	files := filepath.Join(d.Examples, "lifecycle", "demo")
	text, err := os.ReadFile(filepath.Join(files, "lifecycle.yaml"))
	if err != nil {
		return err
	}
	config := strings.ReplaceAll(string(text), "/STATE", filepath.Join(d.Dir, "state"))
	path := filepath.Join(d.Dir, "lifecycle.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return err
	}
	policy, err := filepath.Abs(filepath.Join(files, "policy.yaml"))
	if err != nil {
		return err
	}
	d.sim = ec2sim.New(ec2sim.Lab(), ec2sim.WithTransitionTime(0), ec2sim.WithClock(
		func() time.Time { return time.Now().Add(time.Duration(d.ahead.Load())) }))
	if d.srv, err = ec2sim.Start(d.sim, ec2sim.ServerOptions{Region: ec2sim.LabRegion}); err != nil {
		return err
	}
	// The queue gives each message out twice, as SQS may.
	hidden := int(hiddenFor.Seconds())
	err = d.sim.SetQueue(ec2sim.Queue{Region: ec2sim.LabRegion, Name: queue, Twice: true,
		Events: []string{ec2sim.ScalingEvents}, VisibilitySeconds: &hidden})
	if err != nil {
		return err
	}
	d.region().AddScalingGroup(ec2sim.ScalingGroup{Name: group, MaxSize: 9,
		SubnetIDs: []string{ec2sim.LabSubnetA}, InstanceType: "t3.medium",
		Hooks: []ec2sim.ScalingHook{
			{Name: "edge-launch", Transition: ec2sim.Launching, HeartbeatSeconds: 600},
			{Name: "edge-terminate", Transition: ec2sim.Terminating, HeartbeatSeconds: 600}}})
	return d.identify(path, policy)
}

// identify makes the handler's environment, with credentials in a file.
func (d *demo) identify(config, policy string) error {
	credentials := filepath.Join(d.Dir, "credentials")
	d.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + d.Dir, "USER=demo",
		"LIFECYCLED_CONFIG=" + config, "LIFECYCLED_POLICY=" + policy,
		"AWS_SHARED_CREDENTIALS_FILE=" + credentials,
		"ACTIONCTL_JOURNAL=" + filepath.Join(d.Dir, "state", "journal.db")}
	for _, v := range d.srv.Env() {
		if !strings.HasPrefix(v, "AWS_ACCESS_KEY") && !strings.HasPrefix(v, "AWS_SECRET") {
			d.env = append(d.env, v)
		}
	}
	key := ec2sim.LabCredential
	return os.WriteFile(credentials, []byte("[default]\naws_access_key_id="+key.AccessKeyID+
		"\naws_secret_access_key="+key.SecretAccessKey+"\n"), 0o600)
}

// close ends what open and watch began.
func (d *demo) close() {
	d.stop(syscall.SIGKILL)
	if d.srv != nil {
		d.srv.Close()
	}
}

func (d *demo) region() *ec2sim.Region { return d.sim.Region(ec2sim.LabRegion) }

// edit changes the group, as an operator of Auto Scaling does.
func (d *demo) edit(change func(*ec2sim.ScalingGroup)) {
	d.Do(func() error { d.region().EditScalingGroup(group, change); return nil })
}

// await waits until the group has so many instances, of which so many are in service, and until
// the handler has a record of all that happened to them.
func (d *demo) await(ctx context.Context, instances, inService int) {
	d.until(ctx, func() (string, error) {
		members := d.region().ScalingGroup(group).Instances
		in := 0
		for _, m := range members {
			if m.State == "InService" {
				in++
			}
			if !slices.Contains(d.seen, m.InstanceID) {
				d.seen = append(d.seen, m.InstanceID)
			}
		}
		if len(members) != instances || in != inService {
			return fmt.Sprintf("the group has %v, want %d instances, %d of them in service", members,
				instances, inService), nil
		}
		return d.unrecorded(ctx, members)
	})
}

// unrecorded says which record lacks what happened to its instance, if any does.
func (d *demo) unrecorded(ctx context.Context, members []ec2sim.ScalingMember) (string, error) {
	for _, id := range d.seen {
		r, err := d.record(ctx, id)
		if err != nil {
			return "", err
		}
		left := !slices.ContainsFunc(members, func(m ec2sim.ScalingMember) bool {
			return m.InstanceID == id
		})
		if r.Launch != lifecycle.Continued || left && r.Terminate != lifecycle.Ended {
			return fmt.Sprintf("the record of %s has launch %q, terminate %q", id, r.Launch,
				r.Terminate), nil
		}
	}
	return "", nil
}

// record is what the handler's table has of an instance.
func (d *demo) record(ctx context.Context, instance string) (lifecycle.Record, error) {
	backend, err := localtable.Open(filepath.Join(d.Dir, "state"), true)
	if err != nil {
		return lifecycle.Record{}, err
	}
	return lifecycle.Records{Backend: backend}.Read(ctx, lifecycle.Event{
		Account: account, Region: ec2sim.LabRegion, Group: group, Instance: instance})
}

// until waits until there is nothing left to wait for, which lacks tells.
func (d *demo) until(ctx context.Context, lacks func() (string, error)) {
	d.Do(func() error {
		end := time.After(patience)
		for {
			what, err := lacks()
			if err != nil || what == "" {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-d.handler.ended:
				return d.handler.died()
			case <-end:
				return fmt.Errorf("after %s %s; lifecycled said:\n%s", patience, what,
					d.handler.output())
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
}

// look shows the instances of the group, and what was made for them. There have to be so many
// interfaces that were made, each attached.
func (d *demo) look(interfaces int) {
	d.Do(func() error {
		for _, m := range d.region().ScalingGroup(group).Instances {
			made := strings.Join(d.made(m.InstanceID), ", ")
			d.Holds(d.short(fmt.Sprintf("%s  %-16s  %s", m.InstanceID, m.State, made)))
		}
		all := d.made("")
		if len(all) != interfaces || strings.Contains(strings.Join(all, " "), "nothing") {
			return fmt.Errorf("%d interfaces were made, want %d: %v", len(all), interfaces, all)
		}
		return nil
	})
}

// made are the interfaces that were made for an instance, by device index; all of them where no
// instance is named.
func (d *demo) made(instance string) (all []string) {
	for _, i := range d.region().State().Interfaces {
		if i.Tags[ec2model.Slot] == "" {
			continue
		}
		at, of := "attached to nothing", ""
		if i.Attachment != nil {
			at, of = fmt.Sprintf("device %d", i.Attachment.DeviceIndex), i.Attachment.InstanceID
		}
		if instance == "" || of == instance {
			all = append(all, at+" "+i.ID)
		}
	}
	slices.Sort(all)
	return all
}

// madeID is the id of an interface that was made. Instances get theirs in any order.
var madeID = regexp.MustCompile(`eni-[0-9a-f]{17}`)

// short returns a text without ids that differ from run to run, unless whole outputs are asked for.
func (d *demo) short(text string) string {
	if d.Whole {
		return text
	}
	return madeID.ReplaceAllString(text, "eni-…")
}

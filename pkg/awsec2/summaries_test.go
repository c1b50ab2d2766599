package awsec2

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/protocol"
)

// instancesOf are the instances of some XML within the reservations.
func instancesOf(reservations string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">` +
		`<requestId>r</requestId><reservationSet>` + reservations +
		`</reservationSet></DescribeInstancesResponse>`
}

const someInstances = `<item><reservationId>r-1</reservationId>
  <groupSet><item><groupId>sg-1</groupId></item></groupSet><instancesSet>
  <item><instanceId>i-1</instanceId>
    <instanceState><code>16</code><name>running</name></instanceState>
    <tagSet><item><key>Name</key><value>a &amp; b</value></item>
      <item><key>empty</key><value/></item></tagSet>
    <networkInterfaceSet><item><instanceId>i-not</instanceId>
      <tagSet><item><key>no</key><value>no</value></item></tagSet></item></networkInterfaceSet>
  </item>
  <item><instanceState><name>stopped</name><code>80</code></instanceState>
    <instanceId>i-2</instanceId></item>
</instancesSet></item><item><instancesSet/></item>`

// TestSummaries: what is read of instances off the wire, and that half an answer is none.
func TestSummaries(t *testing.T) {
	whole := instancesOf(someInstances)
	read := func(text string) (all []ec2model.InstanceSummary, err error) {
		_, err = readSummaries(
			strings.NewReader(text),
			func(i ec2model.InstanceSummary) { all = append(all, i) },
		)
		return all, err
	}
	got, err := read(whole)
	if err != nil {
		t.Fatal(err)
	}
	want := []ec2model.InstanceSummary{
		{
			ID:    "i-1",
			State: "running",
			Tags:  []ec2model.Tag{{Key: "Name", Value: "a & b"}, {Key: "empty"}},
		},
		{ID: "i-2", State: "stopped"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for n := range whole {
		if _, err := read(whole[:n]); err == nil {
			t.Errorf("%d bytes of it are taken for the whole", n)
		}
	}
	for name, text := range map[string]string{
		"no XML":            "upstream is busy",
		"another document":  "<html><body/></html>",
		"another operation": "<DescribeVpcsResponse/>",
		"no id": instancesOf(
			"<item><instancesSet><item><instanceState><name>running</name></instanceState></item>" +
				"</instancesSet></item>"),
		"no state": instancesOf(
			"<item><instancesSet><item><instanceId>i-1</instanceId></item></instancesSet></item>"),
		"tags that mismatch": instancesOf("<item></instancesSet></item>"),
	} {
		if _, err := read(text); err == nil {
			t.Errorf("%s is taken for an answer", name)
		}
	}
}

// TestSummariesAreWhatTheSDKReads: of the same answer both read the same.
func TestSummariesAreWhatTheSDKReads(t *testing.T) {
	r, _ := newLate(t, false)
	want := map[string]ec2model.Instance{}
	out, err := r.api.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, reservation := range out.Reservations {
		for _, i := range reservation.Instances {
			m := sdkInstance(i)
			want[m.ID] = ec2model.Instance{ID: m.ID, State: m.State, Tags: m.Tags}
		}
	}
	got := map[string]ec2model.Instance{}
	q := ec2model.InstanceQuery{VPCID: ec2sim.LabVPC}
	err = r.EachInstance(t.Context(), "all", q, func(i ec2model.InstanceSummary) {
		tags := map[string]string{}
		for _, t := range i.Tags {
			tags[t.Key] = t.Value
		}
		got[i.ID] = ec2model.Instance{ID: i.ID, State: i.State, Tags: tags}
	})
	if diff := cmp.Diff(want, got); err != nil || diff != "" || len(want) == 0 {
		t.Errorf("%v (-SDK +ours):\n%s", err, diff)
	}
}

// TestInstancesPageByPage: EC2 may give pages unasked; and where it does not answer for all at
// once in a quarter of the time, it is asked for pages.
func TestInstancesPageByPage(t *testing.T) {
	for _, slow := range []bool{false, true} {
		// A call that was given up may still be under way when the next one comes.
		var mu sync.Mutex
		var asked []string
		r := readerOf(t, func(w http.ResponseWriter, r *http.Request) {
			if err := r.ParseForm(); err != nil {
				t.Error(err)
			}
			size, token := r.PostForm.Get("MaxResults"), r.PostForm.Get("NextToken")
			mu.Lock()
			asked = append(asked, size+":"+token)
			mu.Unlock()
			if slow && size == "" {
				<-r.Context().Done() // until the reader gives up
				return
			}
			id, next := "i-1", "<nextToken>page &amp; 2</nextToken>"
			if token == "page & 2" {
				id, next = "i-2", ""
			}
			text := instancesOf("<item><instancesSet><item><instanceId>" + id +
				"</instanceId><instanceState><name>running</name></instanceState></item></instancesSet></item>")
			fmt.Fprint(w, strings.Replace(text, "</reservationSet>", "</reservationSet>"+next, 1))
		})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		var ids []string
		err := r.EachInstance(
			ctx,
			"all",
			ec2model.InstanceQuery{VPCID: "vpc-1"},
			func(i ec2model.InstanceSummary) { ids = append(ids, i.ID) },
		)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{":", ":page & 2"}
		if slow {
			want = []string{":", "1000:", "1000:page & 2"}
		}
		mu.Lock()
		if diff := cmp.Diff([][]string{want, {"i-1", "i-2"}}, [][]string{asked, ids}); diff != "" {
			t.Errorf("slow %t (-want +got):\n%s", slow, diff)
		}
		mu.Unlock()
	}
}

// TestInstancesAreRefusedAtOnce: a refusal is no reason to ask for pages.
func TestInstancesAreRefusedAtOnce(t *testing.T) {
	asked := 0
	r := readerOf(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(
			w,
			"<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error>"+
				"</Errors></Response>",
		)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	err := r.EachInstance(
		ctx,
		"all",
		ec2model.InstanceQuery{VPCID: "vpc-1"},
		func(ec2model.InstanceSummary) {},
	)
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != protocol.Authorization ||
		f.Facts[protocol.FactPermissionHint] != "ec2:DescribeInstances" ||
		asked != 1 {
		t.Errorf("%v after %d calls", err, asked)
	}
}

// TestAThrottledReadIsToldAsThat: that the time was up after it says less.
func TestAThrottledReadIsToldAsThat(t *testing.T) {
	r := readerOf(t, func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		if r.PostForm.Get("MaxResults") != "" {
			<-r.Context().Done() // until the reader gives up
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, "<Response><Errors><Error><Code>RequestLimitExceeded</Code>"+
			"<Message>slower</Message></Error></Errors></Response>")
	})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	err := r.EachInstance(
		ctx, "all", ec2model.InstanceQuery{VPCID: "vpc-1"}, func(ec2model.InstanceSummary) {},
	)
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != protocol.Throttled {
		t.Errorf("%v, want it throttled", err)
	}
}

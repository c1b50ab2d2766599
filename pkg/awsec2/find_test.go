package awsec2

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// pageOf is an answer of DescribeInstances.
func pageOf(token string, instances ...string) string {
	return "<DescribeInstancesResponse><reservationSet><item><instancesSet>" +
		strings.Join(instances, "") + "</instancesSet></item></reservationSet><nextToken>" + token +
		"</nextToken></DescribeInstancesResponse>"
}

func item(id, state string, interfaces ...string) string {
	return "<item><instanceId>" + id + "</instanceId><instanceState><name>" + state +
		"</name></instanceState><networkInterfaceSet>" + strings.Join(interfaces, "") +
		"</networkInterfaceSet></item>"
}

func card(id string, index int) string {
	return fmt.Sprintf("<item><networkInterfaceId>%s</networkInterfaceId><attachment>"+
		"<deviceIndex>%d</deviceIndex><status>attached</status></attachment></item>", id, index)
}

// TestInstancesAreFoundToTheEnd: page by page, by literal values, with the places where EC2 listed
// their interfaces.
func TestInstancesAreFoundToTheEnd(t *testing.T) {
	var asked []url.Values
	r := readerOf(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		asked = append(asked, r.PostForm)
		if r.PostForm.Get("NextToken") == "" {
			fmt.Fprint(w, pageOf("more", item("i-1", "running", card("eni-b", 1), card("eni-a", 0))))
			return
		}
		fmt.Fprint(w, pageOf("", item("i-2", "terminated")))
	})
	by := []ec2model.Filter{
		{Name: "tag:Name", Value: `a*b?\`}, {Name: "vpc-id", Value: "vpc-*", Pattern: true},
	}
	found, err := r.FindInstances(t.Context(), "find a", by...)
	if err != nil || len(found) != 2 || found[1].ID != "i-2" || found[1].State != "terminated" {
		t.Fatalf("%+v, %v", found, err)
	}
	var places []string
	for _, n := range found[0].Interfaces {
		places = append(places, fmt.Sprintf("%s at %d, listed %d", n.ID, n.Index, n.Position))
	}
	if diff := cmp.Diff([]string{"eni-a at 0, listed 1", "eni-b at 1, listed 0"}, places); diff != "" {
		t.Error(diff)
	}
	want := url.Values{
		"Action": {"DescribeInstances"}, "Version": {"2016-11-15"}, "MaxResults": {"1000"},
		"IncludeManagedResources": {"true"},
		"Filter.1.Name":           {"tag:Name"}, "Filter.1.Value.1": {`a\*b\?\\`},
		"Filter.2.Name": {"vpc-id"}, "Filter.2.Value.1": {"vpc-*"},
	}
	if diff := cmp.Diff(want, asked[0]); diff != "" || len(asked) != 2 {
		t.Errorf("%d calls, %s", len(asked), diff)
	}

	asked = nil
	some, err := r.SomeInstances(t.Context(), "look")
	if err != nil || len(some) != 1 || len(asked) != 1 || asked[0].Get("MaxResults") != "5" {
		t.Errorf("%+v, %v, %v", some, err, asked)
	}
}

// TestAnInstanceThatIsNotUnderstood is no instance that is left out.
func TestAnInstanceThatIsNotUnderstood(t *testing.T) {
	r := readerOf(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, pageOf("", "<item><instanceId>i-1</instanceId></item>"))
	})
	var f *protocol.Failure
	_, err := r.FindInstances(t.Context(), "find a")
	if !errors.As(err, &f) || f.Class != protocol.Unavailable {
		t.Errorf("%v", err)
	}
}
